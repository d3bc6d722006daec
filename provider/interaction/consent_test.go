package interaction_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// scopesOf returns the scopes of a token response.
func scopesOf(tokens map[string]any) []string { return strings.Fields(tokens["scope"].(string)) }

// AZ-04: A consent page that was shown to one user cannot be submitted as another user.
func TestConsent_ShownToOneUserCannotBeGivenByAnother(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, providertest.Bob, providertest.Password)
		v := b.Visitor(t)
		tabA := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		tabB := v.Get(t, b.AuthorizeURL("prompt", "login"))
		v.SignIn(t, tabB, providertest.Bob, providertest.Password)
		v.Submit(t, tabA.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, tabA.Form(t), "decision", "deny").WantPage(t, http.StatusConflict, "stale_form")
		// Neither of them has given consent by that.
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "consent_required")
		v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, providertest.Password)
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "consent_required")

		// After a new sign-in of the same user the page still works; without a session it does not.
		page := v.Get(t, b.AuthorizeURL())
		v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), providertest.Alice, providertest.Password)
		b.Redeem(t, v.Allow(t, page).Code(t))
		w := b.Visitor(t)
		w.Submit(t, page.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
	})
}

// AZ-19: Edited or extra fields in the consent form change nothing.
func TestConsent_EditedFormGrantsNothingMore(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other, _ := b.Register(t, storage.Web, "other", "https://other.example.com/cb")
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid")), providertest.Alice, providertest.Password)
		wide := v.Get(t, b.AuthorizeURL("scope", "openid email phone"))
		foreign := v.Get(t, b.AuthorizeURL("scope", "openid", "client_id", other.ID, "redirect_uri", "https://other.example.com/cb"))
		later := v.Get(t, b.AuthorizeURL("scope", "openid")) // equal except for its id

		// The request and the ticket must be of the same page.
		for _, at := range []providertest.Stop{wide, foreign, later} {
			f := page.Form(t)
			f.Values.Set("request", at.Form(t).Values.Get("request"))
			v.Submit(t, f, "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		}
		for _, ticket := range []string{"", "x", page.Form(t).Values.Get("request"), v.Get(t, b.AuthorizeURL("prompt", "select_account")).Form(t).Values.Get("ticket")} {
			f := page.Form(t)
			f.Values.Set("ticket", ticket)
			v.Submit(t, f, "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		}
		for _, decision := range []string{"", "ALLOW", "allow ", "yes", "true"} {
			v.Submit(t, page.Form(t), "decision", decision).WantPage(t, http.StatusBadRequest, "invalid_request")
		}
		f := page.Form(t)
		f.Values["decision"] = []string{"deny", "allow"}
		v.Walk(t, v.FormRequest(t, f)).WantPage(t, http.StatusBadRequest, "invalid_request")
		v.Get(t, b.AuthorizeURL("prompt", "none", "scope", "openid")).WantError(t, "consent_required") // no consent was given so far

		page = v.Get(t, b.AuthorizeURL("scope", "openid"))
		s := v.Submit(t, page.Form(t), "decision", "allow", "scope", "openid email offline_access", "client_id", other.ID, "redirect_uri", providertest.EvilRedirectURI,
			"user", "usr_x", "sub", "usr_x", "remember", "1", "state", "evil", "nonce", "evil", "claims", `{"userinfo":{"email":null}}`)
		if s.LeftTo == nil || s.LeftTo.Host != "app.example.com" || s.Response(t).Get("state") != "st&te" {
			t.Fatalf("the form leads to %v", s.LeftTo)
		}
		tokens := b.Redeem(t, s.Code(t))
		if got := scopesOf(tokens); !slices.Equal(got, []string{"openid"}) {
			t.Errorf("scope: %v", got)
		}
		if info := b.Userinfo(t, tokens["access_token"].(string)).JSON(t); info["email"] != nil {
			t.Errorf("userinfo: %v", info)
		}
		v.Get(t, b.AuthorizeURL("prompt", "none", "scope", "openid email")).WantError(t, "consent_required")
	})
}

// The forms of sign-in, consent and account choice are posted as from other sites. The pages
// have the headers that forbid frames.
// AZ-20: Sign-in and consent forms that come from another site are refused, and pages cannot
// be framed.
func TestConsent_FormsOfOtherSitesAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL())
		consent := v.SignIn(t, login, providertest.Alice, providertest.Password)
		choice := v.Get(t, b.AuthorizeURL("prompt", "select_account"))
		handle := v.Cookie(t, "signet").Value
		pages := []struct {
			page  providertest.Stop
			pairs []string
		}{
			{login, []string{"username", providertest.Alice, "password", providertest.Password}}, {consent, []string{"decision", "allow"}}, {choice, []string{"decision", "continue"}},
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
				f := p.page.Form(t)
				for i := 0; i < len(p.pairs); i += 2 {
					f.Values.Set(p.pairs[i], p.pairs[i+1])
				}
				r := v.FormRequest(t, f)
				r.Header.Del("Origin")
				r.Header.Del("Sec-Fetch-Site")
				for name, value := range from {
					r.Header.Set(name, value)
				}
				v.Walk(t, r).WantPage(t, http.StatusForbidden, "cross_origin")
			}
		}
		if v.Cookie(t, "signet").Value != handle {
			t.Error("a form of another site changed the session")
		}
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "consent_required")
		// A browser that sends neither header needs the ticket.
		f := consent.Form(t)
		f.Values.Set("decision", "allow")
		f.Values.Del("ticket")
		r := v.FormRequest(t, f)
		r.Header.Del("Origin")
		r.Header.Del("Sec-Fetch-Site")
		v.Walk(t, r).WantPage(t, http.StatusConflict, "stale_form")
	})
}

// AZ-21: A native client without a claimed https redirect URI never gets silent approval (RFC
// 8252, section 8.6).
func TestConsent_NativeClientsAreAskedEachTime(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		claimed := "https://app.example.com/native"
		b.Client, b.Secret = b.Register(t, storage.Native, "native", "http://127.0.0.1/cb", "http://localhost/cb", "com.example.app:/cb", claimed)
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		for _, uri := range []string{"http://127.0.0.1:4711/cb", "http://localhost:4711/cb", "com.example.app:/cb"} {
			for range 2 {
				v.Get(t, b.AuthorizeURL("redirect_uri", uri, "prompt", "none")).WantError(t, "consent_required")
				if s := v.Allow(t, v.Get(t, b.AuthorizeURL("redirect_uri", uri))); s.Code(t) == "" {
					t.Errorf("%s: no code", uri)
				}
			}
		}
		// The operating system opens a claimed https address only in the app that owns it.
		v.Get(t, b.AuthorizeURL("redirect_uri", claimed, "prompt", "none")).WantError(t, "consent_required")
		v.Allow(t, v.Get(t, b.AuthorizeURL("redirect_uri", claimed)))
		v.Get(t, b.AuthorizeURL("redirect_uri", claimed, "prompt", "none")).Code(t)
		v.Get(t, b.AuthorizeURL("redirect_uri", "com.example.app:/cb", "prompt", "none")).WantError(t, "consent_required")
	})
}

// AZ-22: Consent for some scopes does not cover others, nor offline_access; removed consent
// does not count (OIDC Core, section 11).
func TestConsent_CoversOnlyNamedRights(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client, b.Secret = b.RegisterWith(t, storage.Web, "wide", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Resources = []string{providertest.Callback}, []string{"https://api.example.com", "https://other.example.com"}
		})
		v := b.Visitor(t)
		v.SignInForCode(t, "scope", "openid", "resource", "https://api.example.com")
		v.CodeFromSession(t, "scope", "openid", "prompt", "none")
		for _, more := range [][]string{
			{"scope", "openid offline_access"}, {"scope", "openid email"}, {"scope", "openid roles"}, {"scope", "email"},
			{"scope", "openid", "resource", "https://other.example.com"}, {"scope", "openid", "claims", `{"userinfo":{"email":null}}`},
		} {
			v.Get(t, b.AuthorizeURL(append(more, "prompt", "none")...)).WantError(t, "consent_required")
		}
		// Another user at the same client; the same user at another client.
		b.User(t, providertest.Bob, providertest.Password)
		w := b.Visitor(t)
		w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.Bob, providertest.Password)
		w.Get(t, b.AuthorizeURL("scope", "openid", "prompt", "none")).WantError(t, "consent_required")
		v.Get(t, b.AuthorizeURL("client_id", "app", "scope", "openid", "prompt", "none")).WantError(t, "consent_required")

		// A consent ends after a year, even with sign-ins in between.
		b.Advance(366 * 24 * time.Hour)
		v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid")), providertest.Alice, providertest.Password)
		v.Get(t, b.AuthorizeURL("scope", "openid", "prompt", "none")).WantError(t, "consent_required")
	})
}

// Withdrawing a consent also revokes the tokens that were issued with it. Only the user can
// give it again.
// AZ-22: Consent for some scopes does not cover others, nor offline_access; removed consent
// does not count (OIDC Core, section 11).
func TestConsent_WithdrawalRevokesTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid offline_access"))
		v.CodeFromSession(t, "scope", "openid", "prompt", "none")
		if err := b.DB.WithdrawConsent(context.Background(), b.Alice.ID, b.Client.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.WantRevoked(t, tokens)
		for _, scope := range []string{"openid", "openid offline_access"} {
			v.Get(t, b.AuthorizeURL("scope", scope, "prompt", "none")).WantError(t, "consent_required")
		}
		b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid"))).Code(t))
		v.Get(t, b.AuthorizeURL("scope", "openid offline_access", "prompt", "none")).WantError(t, "consent_required")
	})
}

// After one sign-in and one consent, neither is asked again.
// P-33: Consent is asked for each client and remembered.
func TestConsent_IsRememberedPerClientAndScopes(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL("scope", "openid email profile"))
		b.Redeem(t, v.Allow(t, v.SignIn(t, login, providertest.Alice, providertest.Password)).Code(t))
		for _, scope := range []string{"openid", "profile openid", "openid email profile"} {
			b.Redeem(t, v.CodeFromSession(t, "scope", scope, "nonce", ""))
		}
		// The consent also counts in another browser, days later.
		w := b.Visitor(t)
		b.Advance(20 * 24 * time.Hour)
		w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
		// A new scope needs consent, and the earlier consent stays.
		b.Redeem(t, w.Allow(t, w.Get(t, b.AuthorizeURL("scope", "openid phone"))).Code(t))
		b.Redeem(t, w.CodeFromSession(t, "scope", "openid email profile phone"))
	})
}

// A denial stores no consent and removes none.
// P-83: A refusal by the user is access_denied with state and iss; answers carry a Date
// header.
func TestConsent_Denial(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		s := v.Submit(t, page.Form(t), "decision", "deny")
		s.WantError(t, "access_denied")
		if r := s.Response(t); r.Get("state") != "st&te" || r.Get("iss") != b.Issuer || s.Header.Get("Date") == "" {
			t.Errorf("state %q, iss %q, date %q", r.Get("state"), r.Get("iss"), s.Header.Get("Date"))
		}
		v.Get(t, page.At.String()) // the page again
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "consent_required")
		if s := v.Get(t, b.AuthorizeURL()); s.At.Path != "/consent" {
			t.Errorf("the next request is not asked about: at %s, left to %v", s.At.Path, s.LeftTo)
		}
		// A denial does not remove an earlier consent.
		v.Allow(t, v.Get(t, b.AuthorizeURL()))
		again := v.Get(t, b.AuthorizeURL("prompt", "consent"))
		v.Submit(t, again.Form(t), "decision", "deny").WantError(t, "access_denied")
		v.CodeFromSession(t, "prompt", "none")
	})
}

// The consent page asks only for the rights that the client has when the page is shown.
func TestRights_ConsentPageIsNarrowed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		all := b.AllowEverything(t)
		v := b.Visitor(t)
		v.SignInForCode(t, "scope", "openid")
		consent := v.Get(t, b.NextURL(t, v, all...))
		if !strings.Contains(consent.Body, providertest.Alice) || consent.At.Path != "/consent" {
			t.Fatalf("at %s", consent.At)
		}
		b.ChangeClient(t, providertest.WithoutScope("email"))
		// The page showed other rights than the current ones, so it is stale.
		v.Submit(t, consent.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		page := v.Get(t, consent.At.String())
		tokens := b.Redeem(t, v.Allow(t, page).Code(t))
		if tokens["scope"] != "openid offline_access" {
			t.Errorf("scope %v", tokens["scope"])
		}
	})
}

// A consent covers only the rights on the page, not a right that the client gets back
// immediately after.
func TestRights_ConsentCoversRightsOnPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		all := b.AllowEverything(t)
		v := b.Visitor(t)
		v.SignInForCode(t, "scope", "openid")
		sealed := b.NextURL(t, v, all...)
		b.ChangeClient(t, providertest.WithoutScope("email"))
		f := v.Get(t, sealed).Form(t)
		f.Values.Set("decision", "allow")
		a := providertest.Do(t, v.Client, v.FormRequest(t, f))
		_, on, _ := strings.Cut(a.Header.Get("Refresh"), "url=")
		b.ChangeClient(t, func(*storage.Client) {})
		if tokens := b.Redeem(t, v.Get(t, b.Issuer+on).Code(t)); tokens["scope"] != "openid offline_access" {
			t.Errorf("scope %v", tokens["scope"])
		}
	})
}
