package oauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// P-64: end_session accepts GET and POST (OIDC RP-Initiated Logout, section 2).
// P-65: With a valid hint the session ends, and the browser returns to the registered URI.
// P-69: After logout the session cookie is worthless on the server.
func TestEndSession_HintEndsTheSessionAndGoesBack(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for state, want := range map[string]string{"": "", "a&b=c#d é": "&state=a%26b%3Dc%23d+%C3%A9"} {
				v := b.Visitor(t)
				tokens := v.SignInAndRedeem(t, providertest.Alice)
				handle := v.Cookie(t, "signet").Value
				params := url.Values{
					"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {providertest.PostLogoutURI}, "state": {state},
					"client_id": {b.Client.ID}, "ui_locales": {"fr"}, "logout_hint": {"x"}, "unheard_of": {"x"},
				}
				r, _ := http.NewRequest(method, b.Issuer+"/end_session?"+params.Encode(), nil)
				if method == http.MethodPost {
					r, _ = http.NewRequest(method, b.Issuer+"/end_session", strings.NewReader(params.Encode()))
					r.Header.Set("Content-Type", providertest.FormType)
				}
				s := v.Walk(t, r)
				if s.LeftTo == nil || s.LeftTo.String() != providertest.PostLogoutURI+want {
					t.Fatalf("%s: left to %v, want %s", method, s.LeftTo, providertest.PostLogoutURI+want)
				}
				if got := s.Header.Get("Clear-Site-Data"); got != `"cache"` {
					t.Errorf("Clear-Site-Data: %q", got)
				}
				if v.Cookie(t, "signet") != nil {
					t.Error("the cookie is still there")
				}
				b.WantEvent(t, storage.SessionEnded, providertest.ClaimsOf(t, tokens["id_token"])["sid"])
				b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
				b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
				v.SetCookie("signet", handle) // LO-08: a copy of the cookie does not sign in
				v.WantSignedOut(t)
			}
		}
	})
}

// An offline grant outlives the session. It ends when the user is disabled.
// LO-08: After logout, copies of all cookies are worthless.
func TestEndSession_OfflineGrantOutlivesTheSession(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		offline := b.Redeem(t, v.SignInForCode(t, "scope", "openid offline_access"))
		online := b.Redeem(t, v.CodeFromSession(t, "scope", "openid"))
		v.Get(t, b.EndSessionURL("id_token_hint", online["id_token"].(string)))
		v.WantSignedOut(t)
		b.RefuseRefresh(t, online["refresh_token"], "invalid_grant")
		offline = b.MustRefresh(t, offline["refresh_token"])
		b.WantUserinfo(t, offline["access_token"].(string), http.StatusOK)
		b.SetAliceEnabled(t, false)
		b.RefuseRefresh(t, offline["refresh_token"], "invalid_grant")
	})
}

// Any site can send a browser to this endpoint. Without a hint of the browser's own session,
// nothing happens before the user confirms.
// LO-01: /end_session without a hint asks first (OIDC RP-Initiated Logout, section 2).
// LO-02: A hint for another user never ends that user's session.
// P-68: Without parameters, a confirmation and a signed-out page follow.
func TestEndSession_WithoutOwnHintAsksFirst(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		bob := b.User(t, "bob@example.com", providertest.Password)
		other := b.Visitor(t)
		theirs := other.SignInAndRedeem(t, bob.Email)
		v := b.Visitor(t)
		ours := v.SignInAndRedeem(t, providertest.Alice)
		elsewhere := b.Visitor(t).SignInAndRedeem(t, providertest.Alice) // alice herself, in another browser
		for name, target := range map[string]string{
			"nothing":                 b.EndSessionURL(),
			"only state":              b.EndSessionURL("state", "x"),
			"client_id":               b.EndSessionURL("client_id", b.Client.ID, "post_logout_redirect_uri", providertest.PostLogoutURI),
			"hint of another user":    b.EndSessionURL("id_token_hint", theirs["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI),
			"hint of another session": b.EndSessionURL("id_token_hint", elsewhere["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI),
			"logout_hint":             b.EndSessionURL("logout_hint", b.Alice.ID, "sid", fmt.Sprint(providertest.ClaimsOf(t, ours["id_token"])["sid"])),
			"empty hint":              b.EndSessionURL("id_token_hint", ""),
		} {
			s := v.Get(t, target)
			if s.LeftTo != nil || s.StatusCode != http.StatusOK || !strings.Contains(s.Body, `id="signout"`) || len(s.Cookies()) != 0 {
				t.Errorf("%s: status %d, left to %v, cookies %v\n%s", name, s.StatusCode, s.LeftTo, s.Cookies(), s.Body)
			}
			if !strings.Contains(s.Body, providertest.Alice) || strings.Contains(s.Body, bob.Email) {
				t.Errorf("%s: the page does not show the user of the session:\n%s", name, s.Body)
			}
			v.WantSignedIn(t)
			other.WantSignedIn(t)
		}
		b.WantUserinfo(t, theirs["access_token"].(string), http.StatusOK)

		// The user first denies and then confirms a request with the hint of another user.
		page := v.Get(t, b.EndSessionURL("id_token_hint", theirs["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI, "state", "s"))
		if s := v.Submit(t, page.Form(t), "decision", "deny"); s.LeftTo != nil {
			t.Errorf("denied: left to %s", s.LeftTo)
		}
		v.WantSignedIn(t)
		if s := v.Submit(t, page.Form(t), "decision", "allow"); s.LeftTo == nil || s.LeftTo.String() != providertest.PostLogoutURI+"&state=s" {
			t.Errorf("confirmed: left to %v", s.LeftTo)
		}
		v.WantSignedOut(t)
		other.WantSignedIn(t)
		b.WantUserinfo(t, elsewhere["access_token"].(string), http.StatusOK)
		b.WantUserinfo(t, theirs["access_token"].(string), http.StatusOK)

		// P-68: without a redirect URI, a page shows that the user is signed out.
		page = other.Get(t, b.EndSessionURL())
		s := other.Submit(t, page.Form(t), "decision", "allow")
		if s.LeftTo != nil || s.StatusCode != http.StatusOK || !strings.Contains(s.Body, "You’re signed out") {
			t.Errorf("signed out: status %d, left to %v\n%s", s.StatusCode, s.LeftTo, s.Body)
		}
		other.WantSignedOut(t)
	})
}

// LO-07: POST /logout from another site is refused.
func TestEndSession_CrossSitePostHasNoEffect(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		mallory := b.Visitor(t)
		b.User(t, "mallory@example.com", providertest.Password)
		mallory.SignInAndRedeem(t, "mallory@example.com")
		foreign := mallory.Get(t, b.EndSessionURL()).Form(t).Values
		own := v.Get(t, b.EndSessionURL()).Form(t).Values
		for name, form := range map[string]url.Values{
			"nothing":                  {},
			"decision":                 {"decision": {"allow"}},
			"empty ticket":             {"decision": {"allow"}, "ticket": {""}, "logout": own["logout"]},
			"another's ticket":         {"decision": {"allow"}, "ticket": foreign["ticket"], "logout": foreign["logout"]},
			"ticket for other request": {"decision": {"allow"}, "ticket": own["ticket"], "logout": foreign["logout"]},
			"ticket of another form":   {"decision": {"allow"}, "ticket": {"x"}, "logout": own["logout"]},
			"ticket without message":   {"decision": {"allow"}, "ticket": own["ticket"]},
		} {
			for _, site := range []string{"cross-site", "same-site", ""} {
				r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/end_session", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", providertest.FormType)
				r.Header.Set("Origin", "https://evil.example")
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				if a := providertest.Do(t, v.Client, r); len(a.Cookies()) != 0 || a.StatusCode >= 500 {
					t.Errorf("%s: got %d, cookies %v", name, a.StatusCode, a.Cookies())
				}
			}
			v.WantSignedIn(t)
			mallory.WantSignedIn(t)
		}
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
	})
}

// LO-12: Deleting a cookie uses the attributes with which it was set; the server decides in
// any case.
// LO-13: The back button shows no personal page after logout.
func TestEndSession_CookieIsDeletedAsItWasSet(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		set := v.SignInAnswer(t).Cookies()
		hint := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL())).Code(t))["id_token"].(string)
		a := v.Fetch(t, b.EndSessionURL("id_token_hint", hint))
		deleted := a.Cookies()
		// The device cookie stays. The cookies of the first-party app are deleted too.
		if len(set) != 2 || set[1].Name != "signet_device" || len(deleted) != 3 {
			t.Fatalf("set %v, deleted %v", set, deleted)
		}
		s, d := set[0], deleted[0]
		if d.Value != "" || d.MaxAge != -1 || d.Name != s.Name || d.Path != s.Path || d.Domain != s.Domain || d.Secure != s.Secure || d.SameSite != s.SameSite || d.HttpOnly != s.HttpOnly {
			t.Errorf("set %v, deleted %v", s, d)
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Clear-Site-Data") != `"cache"` {
			t.Errorf("headers: %v", a.Header)
		}
	})
}

// A confirmation form is refused a second time, too late, and in another browser.
// LO-15: A logout confirmation works once and only in its own session.
func TestEndSession_ConfirmationBelongsToItsSession(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		b.User(t, "bob@example.com", providertest.Password)
		v, w := b.Visitor(t), b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		w.SignInAndRedeem(t, "bob@example.com")
		confirmation := v.Get(t, b.EndSessionURL("client_id", b.Client.ID, "post_logout_redirect_uri", providertest.PostLogoutURI)).Form(t)

		w.Submit(t, confirmation, "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		w.WantSignedIn(t)
		v.WantSignedIn(t)

		if s := v.Submit(t, confirmation, "decision", "allow"); s.LeftTo == nil {
			t.Errorf("status %d at %s", s.StatusCode, s.At)
		}
		v.WantSignedOut(t)
		if s := v.Submit(t, confirmation, "decision", "allow"); s.StatusCode >= 400 && s.StatusCode != http.StatusConflict {
			t.Errorf("twice: status %d", s.StatusCode)
		}
		v.SignInAndRedeem(t, providertest.Alice) // another session of the same user in the same browser
		v.Submit(t, confirmation, "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		v.WantSignedIn(t)

		page := v.Get(t, b.EndSessionURL())
		b.Advance(31 * time.Minute)
		v.Submit(t, page.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		v.WantSignedIn(t)
	})
}

// The test sends every combination of hint, client_id and redirect URI. Values that cannot be
// used are ignored and logged, and the user can always sign out. Only a hint of the browser's own
// session ends that session without a confirmation. The browser is redirected only if the
// requesting client has registered the URI. The request needs no client if exactly one client has
// registered the URI.
// P-66: A hint must be an ID token of ours for a known client, with our signature.
// P-67: The redirect URI is compared exactly, and is not used without a client that has registered it.
func TestEndSession_UnusableParametersAreIgnored(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const shared, others = "https://shared.example.com/bye", "https://other.example.com/bye"
		b.Client.Metadata.PostLogoutRedirectURIs = []string{providertest.PostLogoutURI, shared}
		b.ChangeClient(t, func(*storage.Client) {})
		b.RegisterWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = []string{providertest.Callback}, []string{others, shared}
		})
		off := b.AsClient(b.RegisterWith(t, storage.Web, "off", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = []string{providertest.Callback}, []string{"https://off.example.com/bye"}
		}))
		b.Follow(t)
		theirs := b.Visitor(t).SignInAndRedeem(t, providertest.Alice)["id_token"].(string) // alice in another browser
		offHint := off.Visitor(t).SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
		off.SetClientEnabled(t, false)
		b.Follow(t)

		parts := strings.Split(theirs, ".")
		hints := map[string]string{
			"": "", "own": "own", "of another session": theirs, "of a disabled client": offHint, "garbage": "x",
			"forged": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "unsigned": providertest.B64(`{"alg":"none"}`) + "." + parts[1] + ".",
		}
		addresses := map[string]string{ // redirect URI to the clients that have registered it
			"": "", providertest.PostLogoutURI: b.Client.ID, shared: b.Client.ID + " other", others: "other",
			"https://off.example.com/bye": "off", "https://evil.example/": "", providertest.PostLogoutURI + "&x=1": "", providertest.PostLogoutURI + "#x": "",
			providertest.PostLogoutURI + "\r\nSet-Cookie: x=1": "", "javascript:alert(1)": "", providertest.Callback: "", "https://app.example.com/goodbye": "",
		}
		for how, hint := range hints {
			for _, id := range []string{"", b.Client.ID, "other", "off", "unknown"} {
				for address, registered := range addresses {
					v := b.Visitor(t)
					ours := v.SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
					sent := hint
					if how == "own" {
						sent = ours
					}
					issued := map[string]string{"own": b.Client.ID, "of another session": b.Client.ID, "of a disabled client": "off"}[how]
					usable := issued == b.Client.ID && (id == "" || id == issued)
					asking := id // the client that sends the request
					if issued != "" && id == "" {
						asking = issued
					}
					if asking == "" && len(strings.Fields(registered)) == 1 {
						asking = registered
					}
					follows := slices.Contains(strings.Fields(registered), asking) && asking != "off"
					atOnce := how == "own" && usable

					logged := len(b.Log.String())
					s := v.Get(t, b.EndSessionURL("id_token_hint", sent, "client_id", id, "post_logout_redirect_uri", address))
					what := fmt.Sprintf("hint %q, client_id %q, address %q", how, id, address)
					if asked := strings.Contains(s.Body, `id="signout"`); asked == atOnce {
						t.Fatalf("%s: asked %v, status %d\n%s", what, asked, s.StatusCode, s.Body)
					}
					if !atOnce {
						if s.StatusCode != http.StatusOK || len(s.Cookies()) != 0 || !v.SignedIn(t) {
							t.Fatalf("%s: status %d, cookies %v", what, s.StatusCode, s.Cookies())
						}
						s = v.Submit(t, s.Form(t), "decision", "allow")
					}
					if follows != (s.LeftTo != nil && s.LeftTo.String() == address) || !follows && s.LeftTo != nil {
						t.Errorf("%s: left to %v, want to follow: %v", what, s.LeftTo, follows)
					}
					if !follows && !strings.Contains(s.Body, "You’re signed out") {
						t.Errorf("%s: status %d\n%s", what, s.StatusCode, s.Body)
					}
					if v.SignedIn(t) {
						t.Errorf("%s: still signed in", what)
					}
					log := b.Log.String()[logged:]
					for parameter, ignored := range map[string]bool{
						"id_token_hint":            how != "" && how != "own" && how != "of another session" && how != "of a disabled client" || issued != "" && id != "" && id != issued,
						"client_id":                id == "off" || id == "unknown" || id == "" && issued == "off",
						"post_logout_redirect_uri": address != "" && !follows,
					} {
						if got := strings.Contains(log, `"ignored_`+parameter+`"`); got != ignored {
							t.Errorf("%s: the log shows %s as ignored: %v, want %v", what, parameter, got, ignored)
						}
					}
				}
			}
		}
	})
}

// Malformed parameters lead to an error page with a link to the sign-out.
func TestEndSession_MalformedParametersShowPage(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		v := b.Visitor(t)
		hint := v.SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
		for name, target := range map[string]string{
			"twice":              b.EndSessionURL("id_token_hint", hint) + "&id_token_hint=" + hint,
			"twice, one empty":   b.EndSessionURL("post_logout_redirect_uri", providertest.PostLogoutURI, "id_token_hint", hint) + "&state=a&state=b",
			"bad escape":         b.EndSessionURL("id_token_hint", hint) + "&state=%zz",
			"NUL":                b.EndSessionURL("id_token_hint", hint, "state", "\x00"),
			"not UTF-8":          b.EndSessionURL("id_token_hint", hint, "state", "\xff"),
			"message of another": b.EndSessionURL("logout", "AAAA"),
		} {
			s := v.Get(t, target)
			if s.LeftTo != nil || s.StatusCode != http.StatusBadRequest || len(s.Cookies()) != 0 || !strings.Contains(s.Body, "invalid_request") {
				t.Errorf("%s: status %d, left to %v, cookies %v", name, s.StatusCode, s.LeftTo, s.Cookies())
			}
			if !strings.Contains(s.Body, `id="start" href="/end_session"`) {
				t.Errorf("%s: the page does not lead to the sign-out:\n%s", name, s.Body)
			}
			if !v.SignedIn(t) {
				t.Fatalf("%s: the session was ended", name)
			}
		}
	})
}

// P-66: The expiry of a hint is ignored.
func TestEndSession_OldHintIsAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		v := b.Visitor(t)
		hint := v.SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
		b.Advance(30 * 24 * time.Hour) // an expired ID token still identifies its session
		if s := v.Get(t, b.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", providertest.PostLogoutURI)); s.LeftTo == nil || s.LeftTo.String() != providertest.PostLogoutURI {
			t.Errorf("after a month: status %d, left to %v", s.StatusCode, s.LeftTo)
		}
		v.SignInAndRedeem(t, providertest.Alice)
		b.Advance(400 * 24 * time.Hour) // a much older hint is ignored; the session has ended too
		if s := v.Get(t, b.EndSessionURL("id_token_hint", hint, "post_logout_redirect_uri", providertest.PostLogoutURI)); s.LeftTo == nil || s.LeftTo.String() != providertest.PostLogoutURI {
			t.Errorf("after two years: status %d, left to %v", s.StatusCode, s.LeftTo)
		}
	})
}

// The redirect URI is checked again when the user submits the confirmation.
func TestEndSession_RedirectURIRemovedBeforeConfirmation(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterPostLogoutURI(t)
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		page := v.Get(t, b.EndSessionURL("client_id", b.Client.ID, "post_logout_redirect_uri", providertest.PostLogoutURI))
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = nil })
		s := v.Submit(t, page.Form(t), "decision", "allow")
		if s.LeftTo != nil || !strings.Contains(s.Body, "You’re signed out") {
			t.Errorf("status %d, left to %v", s.StatusCode, s.LeftTo)
		}
		v.WantSignedOut(t)
	})
}
