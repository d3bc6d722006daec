package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestAZ02_CallbackInParallel asks the dispatcher for the answer many times at
// once. Each may give a code, but of all of them one opens a grant.
func TestAZ02_CallbackInParallel(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		sealed := v.get(t, b.authorizeURL("prompt", "login")).At.Query().Get("request")
		v.signIn(t, v.get(t, b.Issuer+"/login?request="+sealed), alice, password)
		const n = 20
		codes := make([]string, n)
		race(n, func(i int) {
			codes[i] = v.get(t, b.Issuer+"/authorize/next?request="+sealed).code(t)
		})
		var redeemed atomic.Int32
		var token atomic.Value
		race(n, func(i int) {
			a := b.tokenRequest(t, b.codeForm(codes[i]))
			if a.StatusCode == http.StatusOK {
				redeemed.Add(1)
				token.Store(a.json(t)["access_token"])
			} else {
				wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			}
		})
		if got := redeemed.Load(); got != 1 {
			t.Fatalf("%d of %d codes of one request were redeemed, want 1", got, n)
		}
		// The others were siblings, not replays: what the one has opened lives on.
		if a := b.userinfo(t, token.Load().(string)); a.StatusCode != http.StatusOK {
			t.Errorf("userinfo: %d", a.StatusCode)
		}
		// P19: and none repeats.
		seen := map[string]bool{}
		for _, code := range codes {
			if len(code) < 43 || seen[code] || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("code %q is short, not base64url, or there twice", code)
			}
			seen[code] = true
		}
	})
}

// TestAZ34_SubmittedTwice sends the sign-in and the consent again, from the
// history and at once.
func TestAZ34_SubmittedTwice(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		login := v.get(t, b.authorizeURL())
		v.signIn(t, login, alice, password)
		consent := v.signIn(t, login, alice, password) // again
		if consent.At.Path != "/consent" {
			t.Fatalf("the second submit leads to %s, left to %v", consent.At.Path, consent.Left)
		}
		codes := make([]string, 4)
		for i := range 2 {
			codes[i] = v.allow(t, consent).code(t)
		}
		race(2, func(i int) { codes[2+i] = v.submit(t, consent.form(t), "decision", "allow").code(t) })
		tokens := b.redeem(t, codes[0])
		for _, code := range codes[1:] {
			b.refuseCode(t, code, "invalid_grant")
		}
		// A link of an answered step, with everything over: no grant comes of it.
		b.refuseCode(t, v.get(t, b.Issuer+"/authorize/next?"+consent.At.RawQuery).code(t), "invalid_grant")
		b.refuseCode(t, v.signIn(t, login, alice, password).code(t), "invalid_grant")
		if a := b.userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusOK {
			t.Errorf("the first grant has died of it: %d", a.StatusCode)
		}
		sessions, err := b.DB.SessionsOf(context.Background(), b.Alice.ID, b.now())
		if err != nil || len(sessions) != 1 {
			t.Errorf("%d sessions of one browser, %v", len(sessions), err)
		}
	})
}

// TestAZ24_RequestCannotBeEdited alters the message that the browser carries, and
// sends other messages of ours in its place.
func TestAZ24_RequestCannotBeEdited(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		login := v.get(t, b.authorizeURL())
		good := login.At.Query().Get("request")
		consent := v.signIn(t, login, alice, password)
		apart := startApart(t)
		strange := apart.visitor(t).get(t, apart.authorizeURL()).At.Query().Get("request")
		forged := []string{
			"", "x", good + "A", good[1:], good[:len(good)-1], good + ".", " " + good, good + "=", strings.ToUpper(good), good + good,
			"eyJrIjoiY29kZSIsImMiOiJhcHAifQ", "null", `{"k":"page","p":"https://evil.example"}`, strings.Repeat("A", 60_000), "\x00", "\xff",
			consent.form(t).values.Get("ticket"), // another purpose
			v.allow(t, consent).code(t),          // another purpose
			v.cookie(t, "signet").Value,          // no message at all
			strange,                              // of another Signet
		}
		for i := 0; i < len(good); i += 37 { // every part of the message: version, key, salt, text, tag
			flipped := []byte(good)
			flipped[i] ^= 1
			if string(flipped) == good || strings.ContainsAny(string(flipped), "@[`{^.,:/") {
				flipped[i] = 'A' + (good[i]+1)%26
			}
			forged = append(forged, string(flipped))
		}
		for _, request := range forged {
			for _, step := range []string{"/authorize/next", "/login", "/consent", "/select"} {
				s := v.get(t, b.Issuer+step+"?"+url.Values{"request": {request}}.Encode())
				if request == "" && step == "/login" {
					continue // the sign-in page on its own is a page of ours
				}
				if s.Left != nil || s.StatusCode != http.StatusBadRequest {
					t.Errorf("%s with %.60q: left to %v, status %d", step, request, s.Left, s.StatusCode)
				}
				if step == "/authorize/next" {
					continue
				}
				f := form{b.Issuer + step, url.Values{"request": {request}, "username": {alice}, "password": {password}, "decision": {"allow"}}}
				if s := v.walk(t, v.formRequest(t, f)); s.Left != nil || s.StatusCode != http.StatusBadRequest || len(s.Cookies()) > 0 {
					t.Errorf("POST %s with %.60q: left to %v, status %d", step, request, s.Left, s.StatusCode)
				}
			}
		}
		// Parameters beside the request are not read.
		s := v.get(t, b.Issuer+"/authorize/next?"+url.Values{
			"request": {good}, "redirect_uri": {evil}, "client_id": {"other"}, "scope": {"openid email roles"}, "prompt": {"none"}, "state": {"evil"}, "response_mode": {"form_post"},
		}.Encode())
		if s.Left == nil || !strings.HasPrefix(s.Left.String(), callback) || s.response(t).Get("state") != "st&te" {
			t.Errorf("parameters beside the request count: %v", s.Left)
		}
	})
}

// startApart starts a Signet that shares no key with the others.
func startApart(t *testing.T) *testbed {
	t.Helper()
	b := &testbed{DB: storagetest.SQLite(t).Open(t), Log: &logBuffer{}, clock: &clock{}}
	b.Client, b.Secret = b.register(t, storage.Web, "app", callback)
	b.serve(t, func(c *provider.Config) { c.Algorithms = []string{"ES256"} })
	return b
}

// TestAZ28_ExpiredRequest tries every step of a request that is too old.
func TestAZ28_ExpiredRequest(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		for _, age := range []time.Duration{30 * time.Minute, 48 * time.Hour} {
			v := b.visitor(t)
			login := v.get(t, b.authorizeURL("login_hint", alice))
			b.pass(age - time.Minute)
			if s := v.get(t, login.At.String()); s.StatusCode != http.StatusOK && age == 30*time.Minute {
				t.Errorf("after %s: status %d", age-time.Minute, s.StatusCode)
			}
			b.pass(time.Minute)
			for _, step := range []string{"/login", "/consent", "/select", "/authorize/next"} {
				v.get(t, b.Issuer+step+"?"+login.At.RawQuery).wantPage(t, http.StatusBadRequest, "request_expired")
			}
			page := v.submit(t, login.form(t), "username", alice, "password", password)
			page.wantPage(t, http.StatusBadRequest, "request_expired")
			if v.cookie(t, "signet") != nil {
				t.Fatal("an expired request has signed someone in")
			}
			// The way out that the page offers leads through all checks again.
			fresh := v.get(t, page.link(t, "start"))
			s := v.signIn(t, fresh, alice, password)
			if s.At.Path == "/consent" {
				s = v.allow(t, s)
			}
			if got := s.response(t).Get("state"); got != "st&te" {
				t.Errorf("state after a new start: %q", got)
			}
			b.redeem(t, s.code(t))
		}
	})
}

// TestAZ30_ClientChangesBetweenTheSteps also covers RU-15: the client is disabled,
// or its redirect URI taken away, after the request and after the code.
func TestAZ30_ClientChangesBetweenTheSteps(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		move := func(away bool) {
			b.changeClient(t, func(c *storage.Client) {
				if away {
					c.Metadata.RedirectURIs = []string{"https://app.example.com/new"}
				}
			})
		}
		for _, c := range []struct {
			gone        func(bool)
			page, token string
			status      int
		}{
			{func(off bool) { b.disableClient(t, off) }, "invalid_client", "invalid_client", http.StatusUnauthorized},
			{move, "invalid_redirect_uri", "invalid_grant", http.StatusBadRequest},
		} {
			v := b.visitor(t)
			login := v.get(t, b.authorizeURL("prompt", "consent"))
			c.gone(true)
			v.submit(t, login.form(t), "username", alice, "password", password).wantPage(t, http.StatusBadRequest, c.page)
			v.get(t, b.Issuer+"/authorize/next?"+login.At.RawQuery).wantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			consent := v.signIn(t, login, alice, password)
			c.gone(true)
			v.submit(t, consent.form(t), "decision", "allow").wantPage(t, http.StatusBadRequest, c.page)
			v.submit(t, consent.form(t), "decision", "deny").wantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			code := v.allow(t, consent).code(t)
			c.gone(true)
			wantOAuthError(t, b.tokenRequest(t, b.codeForm(code)), c.status, c.token)
			v.get(t, b.authorizeURL("prompt", "none")).wantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			b.redeem(t, v.again(t))
		}
	})
}

// signInOnly signs alice in where her consent is remembered.
func (v *visitor) signInOnly(t *testing.T) string {
	t.Helper()
	return v.signIn(t, v.get(t, v.b.authorizeURL()), alice, password).code(t)
}

// TestAZ31_UserDisabledBetweenTheSteps disables the user before the sign-in,
// before the consent, before the code, before the token, and after it.
func TestAZ31_UserDisabledBetweenTheSteps(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		disable := func(off bool) {
			t.Helper()
			b.disableUser(t, off)
			b.pass(time.Second)
		}
		v := b.visitor(t)
		login := v.get(t, b.authorizeURL())
		disable(true)
		if s := v.submit(t, login.form(t), "username", alice, "password", password); s.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(s.Body, "invalid_credentials") || v.cookie(t, "signet") != nil {
			t.Fatalf("sign-in of a disabled user: status %d, cookie %v", s.StatusCode, v.cookie(t, "signet"))
		}
		disable(false)
		consent := v.signIn(t, login, alice, password)
		disable(true)
		v.submit(t, consent.form(t), "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		disable(false)
		// Enabled again, what was alive before is not.
		if s := v.get(t, b.Issuer+"/authorize/next?"+consent.At.RawQuery); s.At.Path != "/login" {
			t.Errorf("the old session lives: at %s, left to %v", s.At.Path, s.Left)
		}
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "login_required")
		code := v.flow(t)
		disable(true)
		b.refuseCode(t, code, "invalid_grant")
		disable(false)
		b.refuseCode(t, code, "invalid_grant")

		tokens := b.redeem(t, v.signInOnly(t))
		disable(true)
		for _, off := range []bool{true, false} {
			if a := b.userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("userinfo, disabled %v: %d", off, a.StatusCode)
			}
			a := b.tokenRequest(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens["refresh_token"])}})
			wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			disable(false)
		}
	})
}

// TestAZ27_StrangersWriteNothing floods the endpoint without a session: not a
// row is written.
func TestAZ27_StrangersWriteNothing(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		before := b.dump(t)
		for i := range 30 {
			v := b.visitor(t)
			for _, s := range []stop{
				v.get(t, b.authorizeURL("state", fmt.Sprint(i))), v.post(t, b.params()), v.get(t, b.authorizeURL("prompt", "none")),
				v.get(t, b.authorizeURL("client_id", fmt.Sprint("unheard-of-", i))), v.get(t, b.authorizeURL("scope", "x")), v.get(t, b.Issuer+"/login?return_to=/"),
			} {
				if len(s.Cookies()) > 0 {
					t.Fatalf("%s sets %v", s.At.Path, s.Cookies())
				}
			}
		}
		for name, rows := range b.dump(t) {
			if rows != before[name] {
				t.Errorf("table %s has changed:\n%s\n%s", name, before[name], rows)
			}
		}
	})
}

// dump gives every table as text.
func (b *testbed) dump(t *testing.T) map[string]string {
	t.Helper()
	all, db := map[string]string{}, b.steal(t)
	for _, name := range b.tables(t) {
		all[name] = fmt.Sprint(rowsOf(t, db, `SELECT * FROM `+name))
	}
	return all
}
