package provider_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

// scopesOf gives the scopes of a token answer.
func scopesOf(tokens map[string]any) []string { return strings.Fields(tokens["scope"].(string)) }

func TestAZ04_ConsentShownToOneUserCannotBeGivenByAnother(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.user(t, bob, password)
		v := b.visitor(t)
		tabA := v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		tabB := v.get(t, b.authorizeURL("prompt", "login"))
		v.signIn(t, tabB, bob, password)
		v.submit(t, tabA.form(t), "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		v.submit(t, tabA.form(t), "decision", "deny").wantPage(t, http.StatusConflict, "stale_form")
		// Neither of them has consented to anything by that.
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "consent_required")
		v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), alice, password)
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "consent_required")

		// Signed in again as the same user, the page is still good; signed out, it is not.
		page := v.get(t, b.authorizeURL())
		v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), alice, password)
		b.redeem(t, v.allow(t, page).code(t))
		w := b.visitor(t)
		w.submit(t, page.form(t), "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
	})
}

// TestAZ19_OnlyTheSealedRequestSaysWhatIsGranted edits the consent form.
func TestAZ19_OnlyTheSealedRequestSaysWhatIsGranted(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other, _ := b.register(t, storage.Web, "other", "https://other.example.com/cb")
		v := b.visitor(t)
		page := v.signIn(t, v.get(t, b.authorizeURL("scope", "openid")), alice, password)
		wide := v.get(t, b.authorizeURL("scope", "openid email phone"))
		foreign := v.get(t, b.authorizeURL("scope", "openid", "client_id", other.ID, "redirect_uri", "https://other.example.com/cb"))
		later := v.get(t, b.authorizeURL("scope", "openid")) // equal but for its id

		// Request and ticket belong together: of the page, the client and the session.
		for _, at := range []stop{wide, foreign, later} {
			f := page.form(t)
			f.values.Set("request", at.form(t).values.Get("request"))
			v.submit(t, f, "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		}
		for _, ticket := range []string{"", "x", page.form(t).values.Get("request"), v.get(t, b.authorizeURL("prompt", "select_account")).form(t).values.Get("ticket")} {
			f := page.form(t)
			f.values.Set("ticket", ticket)
			v.submit(t, f, "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		}
		for _, decision := range []string{"", "ALLOW", "allow ", "yes", "true"} {
			v.submit(t, page.form(t), "decision", decision).wantPage(t, http.StatusBadRequest, "invalid_request")
		}
		f := page.form(t)
		f.values["decision"] = []string{"deny", "allow"}
		v.walk(t, v.formRequest(t, f)).wantPage(t, http.StatusBadRequest, "invalid_request")
		v.get(t, b.authorizeURL("prompt", "none", "scope", "openid")).wantError(t, "consent_required") // nothing was given so far

		page = v.get(t, b.authorizeURL("scope", "openid"))
		s := v.submit(t, page.form(t), "decision", "allow", "scope", "openid email offline_access", "client_id", other.ID, "redirect_uri", evil,
			"user", "usr_x", "sub", "usr_x", "remember", "1", "state", "evil", "nonce", "evil", "claims", `{"userinfo":{"email":null}}`)
		if s.Left == nil || s.Left.Host != "app.example.com" || s.response(t).Get("state") != "st&te" {
			t.Fatalf("the form leads to %v", s.Left)
		}
		tokens := b.redeem(t, s.code(t))
		if got := scopesOf(tokens); !slices.Equal(got, []string{"openid"}) {
			t.Errorf("scope: %v", got)
		}
		if info := b.userinfo(t, tokens["access_token"].(string)).json(t); info["email"] != nil {
			t.Errorf("userinfo: %v", info)
		}
		v.get(t, b.authorizeURL("prompt", "none", "scope", "openid email")).wantError(t, "consent_required")
	})
}

// TestAZ20_FormsOfOtherSitesAreRefused posts login, consent and account choice as
// other sites would, and looks for the headers that keep a page out of a frame.
func TestAZ20_FormsOfOtherSitesAreRefused(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		login := v.get(t, b.authorizeURL())
		consent := v.signIn(t, login, alice, password)
		choice := v.get(t, b.authorizeURL("prompt", "select_account"))
		handle := v.cookie(t, "signet").Value
		pages := []struct {
			page  stop
			pairs []string
		}{
			{login, []string{"username", alice, "password", password}}, {consent, []string{"decision", "allow"}}, {choice, []string{"decision", "continue"}},
		}
		for _, p := range pages {
			for name, want := range map[string]string{"Content-Security-Policy": "frame-ancestors 'none'", "Cache-Control": "no-store"} {
				if got := p.page.Header.Get(name); !strings.Contains(got, want) {
					t.Errorf("%s: %s is %q, want %q in it", p.page.At.Path, name, got, want)
				}
			}
			for _, from := range []map[string]string{
				{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
				{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
				{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": b.Issuer + ".evil.example"}, {"Origin": strings.Replace(b.Issuer, "http:", "https:", 1) + "0"},
			} {
				f := p.page.form(t)
				for i := 0; i < len(p.pairs); i += 2 {
					f.values.Set(p.pairs[i], p.pairs[i+1])
				}
				r := v.formRequest(t, f)
				r.Header.Del("Origin")
				r.Header.Del("Sec-Fetch-Site")
				for name, value := range from {
					r.Header.Set(name, value)
				}
				v.walk(t, r).wantPage(t, http.StatusForbidden, "cross_origin")
			}
		}
		if v.cookie(t, "signet").Value != handle {
			t.Error("a form of another site has changed the session")
		}
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "consent_required")
		// An engine that sends neither header is let through, but not without a ticket.
		f := consent.form(t)
		f.values.Set("decision", "allow")
		f.values.Del("ticket")
		r := v.formRequest(t, f)
		r.Header.Del("Origin")
		r.Header.Del("Sec-Fetch-Site")
		v.walk(t, r).wantPage(t, http.StatusConflict, "stale_form")
	})
}

func TestAZ21_NativeClientsAreAskedEachTime(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		claimed := "https://app.example.com/native"
		b.Client, b.Secret = b.register(t, storage.Native, "native", "http://127.0.0.1/cb", "http://localhost/cb", "com.example.app:/cb", claimed)
		v := b.visitor(t)
		v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		for _, uri := range []string{"http://127.0.0.1:4711/cb", "http://localhost:4711/cb", "com.example.app:/cb"} {
			for range 2 {
				v.get(t, b.authorizeURL("redirect_uri", uri, "prompt", "none")).wantError(t, "consent_required")
				if s := v.allow(t, v.get(t, b.authorizeURL("redirect_uri", uri))); s.code(t) == "" {
					t.Errorf("%s: no code", uri)
				}
			}
		}
		// The system gives a claimed https address to its owner alone.
		v.get(t, b.authorizeURL("redirect_uri", claimed, "prompt", "none")).wantError(t, "consent_required")
		v.allow(t, v.get(t, b.authorizeURL("redirect_uri", claimed)))
		v.get(t, b.authorizeURL("redirect_uri", claimed, "prompt", "none")).code(t)
		v.get(t, b.authorizeURL("redirect_uri", "com.example.app:/cb", "prompt", "none")).wantError(t, "consent_required")
	})
}

func TestAZ22_ConsentCoversWhatItNamed(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.Client, b.Secret = b.registerWith(t, storage.Web, "wide", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Resources = []string{callback}, []string{"https://api.example.com", "https://other.example.com"}
		})
		v := b.visitor(t)
		v.flow(t, "scope", "openid", "resource", "https://api.example.com")
		v.again(t, "scope", "openid", "prompt", "none")
		for _, more := range [][]string{
			{"scope", "openid offline_access"}, {"scope", "openid email"}, {"scope", "openid roles"}, {"scope", "email"},
			{"scope", "openid", "resource", "https://other.example.com"}, {"scope", "openid", "claims", `{"userinfo":{"email":null}}`},
		} {
			v.get(t, b.authorizeURL(append(more, "prompt", "none")...)).wantError(t, "consent_required")
		}
		// Another person at the same client, the same person at another client.
		b.user(t, bob, password)
		w := b.visitor(t)
		w.signIn(t, w.get(t, b.authorizeURL()), bob, password)
		w.get(t, b.authorizeURL("scope", "openid", "prompt", "none")).wantError(t, "consent_required")
		v.get(t, b.authorizeURL("client_id", "app", "scope", "openid", "prompt", "none")).wantError(t, "consent_required")

		// A consent ends after a year, whatever sign-ins there were in between.
		b.pass(366 * 24 * time.Hour)
		v.signIn(t, v.get(t, b.authorizeURL("scope", "openid")), alice, password)
		v.get(t, b.authorizeURL("scope", "openid", "prompt", "none")).wantError(t, "consent_required")
	})
}

// TestAZ22_WithdrawnConsent: what was given is gone, with all that came of it, and
// only the person can give it again.
func TestAZ22_WithdrawnConsent(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t, "scope", "openid offline_access"))
		v.again(t, "scope", "openid", "prompt", "none")
		if err := b.DB.WithdrawConsent(context.Background(), b.Alice.ID, b.Client.ID, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.wantDead(t, tokens)
		for _, scope := range []string{"openid", "openid offline_access"} {
			v.get(t, b.authorizeURL("scope", scope, "prompt", "none")).wantError(t, "consent_required")
		}
		b.redeem(t, v.allow(t, v.get(t, b.authorizeURL("scope", "openid"))).code(t))
		v.get(t, b.authorizeURL("scope", "openid offline_access", "prompt", "none")).wantError(t, "consent_required")
	})
}

// TestP33_ConsentIsRememberedPerClientAndScopes: sign-in and consent once, and
// then neither.
func TestP33_ConsentIsRememberedPerClientAndScopes(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		login := v.get(t, b.authorizeURL("scope", "openid email profile"))
		b.redeem(t, v.allow(t, v.signIn(t, login, alice, password)).code(t))
		for _, scope := range []string{"openid", "profile openid", "openid email profile"} {
			b.redeem(t, v.again(t, "scope", scope, "nonce", ""))
		}
		// In another browser, and another day, the consent is still there.
		w := b.visitor(t)
		b.pass(20 * 24 * time.Hour)
		w.signIn(t, w.get(t, b.authorizeURL()), alice, password).code(t)
		// What is added is asked for, and what was given stays.
		b.redeem(t, w.allow(t, w.get(t, b.authorizeURL("scope", "openid phone"))).code(t))
		b.redeem(t, w.again(t, "scope", "openid email profile phone"))
	})
}

// TestP83_Denial also covers what a denial leaves: nothing.
func TestP83_Denial(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		page := v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		s := v.submit(t, page.form(t), "decision", "deny")
		s.wantError(t, "access_denied")
		if r := s.response(t); r.Get("state") != "st&te" || r.Get("iss") != b.Issuer || s.Header.Get("Date") == "" {
			t.Errorf("state %q, iss %q, date %q", r.Get("state"), r.Get("iss"), s.Header.Get("Date"))
		}
		v.get(t, page.At.String()) // the page again
		v.get(t, b.authorizeURL("prompt", "none")).wantError(t, "consent_required")
		if s := v.get(t, b.authorizeURL()); s.At.Path != "/consent" {
			t.Errorf("the next request is not asked about: at %s, left to %v", s.At.Path, s.Left)
		}
		// A denial takes back nothing that was given before.
		v.allow(t, v.get(t, b.authorizeURL()))
		again := v.get(t, b.authorizeURL("prompt", "consent"))
		v.submit(t, again.form(t), "decision", "deny").wantError(t, "access_denied")
		v.again(t, "prompt", "none")
	})
}
