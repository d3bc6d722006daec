package interaction_test

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
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// The dispatcher answers the same request many times at once. Each answer may contain a
// code, but only one of the codes opens a grant.
// AZ-02: Calling an upstream's callback twice, or 20 times at once, gives one code. The other
// calls get a page.
func TestSteps_ParallelAnswersOpenOneGrant(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		sealed := v.Get(t, b.AuthorizeURL("prompt", "login")).At.Query().Get("request")
		v.SignIn(t, v.Get(t, b.Issuer+"/login?request="+sealed), providertest.Alice, providertest.Password)
		const n = 20
		codes := make([]string, n)
		providertest.Race(n, func(i int) {
			codes[i] = v.Get(t, b.Issuer+"/authorize/next?request="+sealed).Code(t)
		})
		var redeemed atomic.Int32
		var token atomic.Value
		providertest.Race(n, func(i int) {
			a := b.TokenRequest(t, b.CodeForm(codes[i]))
			if a.StatusCode == http.StatusOK {
				redeemed.Add(1)
				token.Store(a.JSON(t)["access_token"])
			} else {
				providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			}
		})
		if got := redeemed.Load(); got != 1 {
			t.Fatalf("%d of %d codes of one request were redeemed, want 1", got, n)
		}
		// The other codes are no replays of this one, so its grant stays valid.
		if a := b.Userinfo(t, token.Load().(string)); a.StatusCode != http.StatusOK {
			t.Errorf("userinfo: %d", a.StatusCode)
		}
		// P-19: no code repeats.
		seen := map[string]bool{}
		for _, code := range codes {
			if len(code) < 43 || seen[code] || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("code %q is too short, not base64url, or repeated", code)
			}
			seen[code] = true
		}
	})
}

// The forms of sign-in and consent are submitted again, from the history and concurrently.
// AZ-34: Submitting a form twice never gives a second grant or code.
func TestSteps_SubmittedTwice(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL())
		v.SignIn(t, login, providertest.Alice, providertest.Password)
		consent := v.SignIn(t, login, providertest.Alice, providertest.Password) // again
		if consent.At.Path != "/consent" {
			t.Fatalf("the second submit leads to %s, left to %v", consent.At.Path, consent.LeftTo)
		}
		codes := make([]string, 4)
		for i := range 2 {
			codes[i] = v.Allow(t, consent).Code(t)
		}
		providertest.Race(2, func(i int) { codes[2+i] = v.Submit(t, consent.Form(t), "decision", "allow").Code(t) })
		tokens := b.Redeem(t, codes[0])
		for _, code := range codes[1:] {
			b.RefuseCode(t, code, "invalid_grant")
		}
		// The link of an answered step opens no grant after all of this.
		b.RefuseCode(t, v.Get(t, b.Issuer+"/authorize/next?"+consent.At.RawQuery).Code(t), "invalid_grant")
		b.RefuseCode(t, v.SignIn(t, login, providertest.Alice, providertest.Password).Code(t), "invalid_grant")
		if a := b.Userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusOK {
			t.Errorf("the first grant is revoked: userinfo answers %d", a.StatusCode)
		}
		sessions, err := b.DB.SessionsOf(context.Background(), b.Alice.ID, b.Now())
		if err != nil || len(sessions) != 1 {
			t.Errorf("%d sessions of one browser, want 1; error %v", len(sessions), err)
		}
	})
}

// The sealed request is altered, or replaced by other sealed messages.
// AZ-24: A link that resumes a sign-in carries nothing that the browser can edit; all checks
// run again.
func TestSteps_RequestCannotBeEdited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL())
		good := login.At.Query().Get("request")
		consent := v.SignIn(t, login, providertest.Alice, providertest.Password)
		other := startOtherServer(t)
		foreign := other.Visitor(t).Get(t, other.AuthorizeURL()).At.Query().Get("request")
		forged := []string{
			"", "x", good + "A", good[1:], good[:len(good)-1], good + ".", " " + good, good + "=", strings.ToUpper(good), good + good,
			"eyJrIjoiY29kZSIsImMiOiJhcHAifQ", "null", `{"k":"page","p":"https://evil.example"}`, strings.Repeat("A", 60_000), "\x00", "\xff",
			consent.Form(t).Values.Get("ticket"), // another purpose
			v.Allow(t, consent).Code(t),          // another purpose
			v.Cookie(t, "signet").Value,          // not a sealed message
			foreign,                              // of another server
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
				s := v.Get(t, b.Issuer+step+"?"+url.Values{"request": {request}}.Encode())
				if request == "" && step == "/login" {
					continue // without a request, the sign-in page starts one
				}
				if s.LeftTo != nil || s.StatusCode != http.StatusBadRequest {
					t.Errorf("%s with %.60q: left to %v, status %d", step, request, s.LeftTo, s.StatusCode)
				}
				if step == "/authorize/next" {
					continue
				}
				f := providertest.Form{Action: b.Issuer + step, Values: url.Values{"request": {request}, "username": {providertest.Alice}, "password": {providertest.Password}, "decision": {"allow"}}}
				if s := v.Walk(t, v.FormRequest(t, f)); s.LeftTo != nil || s.StatusCode != http.StatusBadRequest || len(s.Cookies()) > 0 {
					t.Errorf("POST %s with %.60q: left to %v, status %d", step, request, s.LeftTo, s.StatusCode)
				}
			}
		}
		// Other parameters than the request are ignored.
		s := v.Get(t, b.Issuer+"/authorize/next?"+url.Values{
			"request": {good}, "redirect_uri": {providertest.EvilRedirectURI}, "client_id": {"other"}, "scope": {"openid email roles"}, "prompt": {"none"}, "state": {"evil"}, "response_mode": {"form_post"},
		}.Encode())
		if s.LeftTo == nil || !strings.HasPrefix(s.LeftTo.String(), providertest.Callback) || s.Response(t).Get("state") != "st&te" {
			t.Errorf("other parameters than the request have an effect: %v", s.LeftTo)
		}
	})
}

// startOtherServer starts a server that shares no key with the others.
func startOtherServer(t *testing.T) *providertest.Testbed {
	t.Helper()
	b := &providertest.Testbed{DB: storagetest.SQLite(t).Open(t), Log: &providertest.LogBuffer{}, Clock: &providertest.Clock{}}
	b.Client, b.Secret = b.Register(t, storage.Web, "app", providertest.Callback)
	b.Serve(t, func(c *provider.Config) { c.Algorithms = []string{"ES256"} })
	return b
}

// Every step refuses a request that is too old.
// AZ-28: An authorization request that is too old gives a page with a link to start again.
func TestSteps_ExpiredRequest(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, age := range []time.Duration{30 * time.Minute, 48 * time.Hour} {
			v := b.Visitor(t)
			login := v.Get(t, b.AuthorizeURL("login_hint", providertest.Alice))
			b.Advance(age - time.Minute)
			if s := v.Get(t, login.At.String()); s.StatusCode != http.StatusOK && age == 30*time.Minute {
				t.Errorf("after %s: status %d", age-time.Minute, s.StatusCode)
			}
			b.Advance(time.Minute)
			for _, step := range []string{"/login", "/consent", "/select", "/authorize/next"} {
				v.Get(t, b.Issuer+step+"?"+login.At.RawQuery).WantPage(t, http.StatusBadRequest, "request_expired")
			}
			page := v.Submit(t, login.Form(t), "username", providertest.Alice, "password", providertest.Password)
			page.WantPage(t, http.StatusBadRequest, "request_expired")
			if v.Cookie(t, "signet") != nil {
				t.Fatal("an expired request signed in")
			}
			// The link of the page starts the request again, with all checks.
			fresh := v.Get(t, page.Link(t, "start"))
			s := v.SignIn(t, fresh, providertest.Alice, providertest.Password)
			if s.At.Path == "/consent" {
				s = v.Allow(t, s)
			}
			if got := s.Response(t).Get("state"); got != "st&te" {
				t.Errorf("state after a new start: %q", got)
			}
			b.Redeem(t, s.Code(t))
		}
	})
}

// RU-15: The client is disabled, or its redirect URI removed, after the request and after
// the code.
// AZ-30: Disabling a client, or removing its redirect URI, takes effect at every step of a
// running sign-in.
func TestSteps_ClientChangesBetweenTheSteps(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		move := func(away bool) {
			b.ChangeClient(t, func(c *storage.Client) {
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
			{func(off bool) { b.SetClientEnabled(t, !off) }, "invalid_client", "invalid_client", http.StatusUnauthorized},
			{move, "invalid_redirect_uri", "invalid_grant", http.StatusBadRequest},
		} {
			v := b.Visitor(t)
			login := v.Get(t, b.AuthorizeURL("prompt", "consent"))
			c.gone(true)
			v.Submit(t, login.Form(t), "username", providertest.Alice, "password", providertest.Password).WantPage(t, http.StatusBadRequest, c.page)
			v.Get(t, b.Issuer+"/authorize/next?"+login.At.RawQuery).WantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			consent := v.SignIn(t, login, providertest.Alice, providertest.Password)
			c.gone(true)
			v.Submit(t, consent.Form(t), "decision", "allow").WantPage(t, http.StatusBadRequest, c.page)
			v.Submit(t, consent.Form(t), "decision", "deny").WantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			code := v.Allow(t, consent).Code(t)
			c.gone(true)
			providertest.WantOAuthError(t, b.TokenRequest(t, b.CodeForm(code)), c.status, c.token)
			v.Get(t, b.AuthorizeURL("prompt", "none")).WantPage(t, http.StatusBadRequest, c.page)
			c.gone(false)
			b.Redeem(t, v.CodeFromSession(t))
		}
	})
}

// signInOnly signs in alice without the consent page, since her consent is remembered.
func signInOnly(t *testing.T, v *providertest.Visitor) string {
	t.Helper()
	return v.SignIn(t, v.Get(t, v.Bed.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
}

// The user is disabled before the sign-in, before the consent, before the code, before the
// token, and after it.
// AZ-31: Disabling or deleting a user takes effect at every step of a running sign-in, and at
// refresh.
func TestSteps_UserDisabledBetweenTheSteps(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		disable := func(off bool) {
			t.Helper()
			b.SetAliceEnabled(t, !off)
			b.Advance(time.Second)
		}
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL())
		disable(true)
		if s := v.Submit(t, login.Form(t), "username", providertest.Alice, "password", providertest.Password); s.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(s.Body, "invalid_credentials") || v.Cookie(t, "signet") != nil {
			t.Fatalf("sign-in of a disabled user: status %d, cookie %v", s.StatusCode, v.Cookie(t, "signet"))
		}
		disable(false)
		consent := v.SignIn(t, login, providertest.Alice, providertest.Password)
		disable(true)
		v.Submit(t, consent.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		disable(false)
		// Enabling the user does not bring back the session.
		if s := v.Get(t, b.Issuer+"/authorize/next?"+consent.At.RawQuery); s.At.Path != "/login" {
			t.Errorf("the old session is still valid: at %s, left to %v", s.At.Path, s.LeftTo)
		}
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
		code := v.SignInForCode(t)
		disable(true)
		b.RefuseCode(t, code, "invalid_grant")
		disable(false)
		b.RefuseCode(t, code, "invalid_grant")

		tokens := b.Redeem(t, signInOnly(t, v))
		disable(true)
		for _, off := range []bool{true, false} {
			if a := b.Userinfo(t, tokens["access_token"].(string)); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("userinfo, disabled %v: %d", off, a.StatusCode)
			}
			a := b.TokenRequest(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens["refresh_token"])}})
			providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
			disable(false)
		}
	})
}

// Many requests without a session write no row.
// AZ-27: A flood of requests at /authorize does not fill the database or slow down other
// requests.
func TestSteps_StrangersWriteNothing(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		before := b.DumpTables(t)
		for i := range 30 {
			v := b.Visitor(t)
			for _, s := range []providertest.Stop{
				v.Get(t, b.AuthorizeURL("state", fmt.Sprint(i))), v.Post(t, b.Params()), v.Get(t, b.AuthorizeURL("prompt", "none")),
				v.Get(t, b.AuthorizeURL("client_id", fmt.Sprint("unheard-of-", i))), v.Get(t, b.AuthorizeURL("scope", "x")), v.Get(t, b.Issuer+"/login?return_to=/"),
			} {
				// The sign-in page sets a test cookie, with the same value for everybody.
				for _, c := range s.Cookies() {
					if s.At.Path != "/login" || c.Name != "signet_last" || c.Value != "-" || c.MaxAge != 0 {
						t.Fatalf("%s sets %v", s.At.Path, c)
					}
				}
			}
		}
		for name, rows := range b.DumpTables(t) {
			if rows != before[name] {
				t.Errorf("table %s has changed:\n%s\n%s", name, before[name], rows)
			}
		}
	})
}
