package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

const goodbye = "https://app.example.com/goodbye?from=signet"

// leave is the URL that signs out, with these parameters.
func (b *testbed) leave(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return b.Issuer + "/end_session?" + v.Encode()
}

// withGoodbye registers the address that the client wants people to come to.
func (b *testbed) withGoodbye(t *testing.T) {
	t.Helper()
	b.Client.Metadata.PostLogoutRedirectURIs = []string{goodbye}
	b.changeClient(t, func(*storage.Client) {})
}

// arrive signs in and gives the tokens.
func (v *visitor) arrive(t *testing.T, email string) map[string]any {
	t.Helper()
	page := v.signIn(t, v.get(t, v.b.authorizeURL("prompt", "login")), email, password)
	if page.Left == nil {
		page = v.allow(t, page)
	}
	return v.b.redeem(t, page.code(t))
}

func (v *visitor) wantSignedOut(t *testing.T) {
	t.Helper()
	v.get(t, v.b.authorizeURL("prompt", "none")).wantError(t, "login_required")
}

func (v *visitor) wantSignedIn(t *testing.T) {
	t.Helper()
	v.get(t, v.b.authorizeURL("prompt", "none")).code(t)
}

func TestP64_TestP65_TestP69_HintEndsTheSessionAndGoesBack(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			for state, want := range map[string]string{"": "", "a&b=c#d é": "&state=a%26b%3Dc%23d+%C3%A9"} {
				v := b.visitor(t)
				tokens := v.arrive(t, alice)
				handle := v.cookie(t, "signet").Value
				params := url.Values{
					"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {goodbye}, "state": {state},
					"client_id": {b.Client.ID}, "ui_locales": {"fr"}, "logout_hint": {"x"}, "unheard_of": {"x"},
				}
				r, _ := http.NewRequest(method, b.Issuer+"/end_session?"+params.Encode(), nil)
				if method == http.MethodPost {
					r, _ = http.NewRequest(method, b.Issuer+"/end_session", strings.NewReader(params.Encode()))
					r.Header.Set("Content-Type", formType)
				}
				s := v.walk(t, r)
				if s.Left == nil || s.Left.String() != goodbye+want {
					t.Fatalf("%s: left to %v, want %s", method, s.Left, goodbye+want)
				}
				if got := s.Header.Get("Clear-Site-Data"); got != `"cache"` {
					t.Errorf("Clear-Site-Data: %q", got)
				}
				if v.cookie(t, "signet") != nil {
					t.Error("the cookie is still there")
				}
				b.wantEvent(t, storage.SessionEnded, claimsOf(t, tokens["id_token"])["sid"])
				b.wantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
				b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
				v.keep("signet", handle) // LO-08: a copy of the cookie is of no use
				v.wantSignedOut(t)
			}
		}
	})
}

// keep puts a cookie into the browser as somebody does who has kept it.
func (v *visitor) keep(name, value string) {
	u, _ := url.Parse(v.b.Issuer)
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// An offline grant outlives the session (and dies with the user).
func TestLO08_OfflineGrantOutlivesTheSession(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		offline := b.redeem(t, v.flow(t, "scope", "openid offline_access"))
		online := b.redeem(t, v.again(t, "scope", "openid"))
		v.get(t, b.leave("id_token_hint", online["id_token"].(string)))
		v.wantSignedOut(t)
		b.refuseRefresh(t, online["refresh_token"], "invalid_grant")
		offline = b.refreshed(t, offline["refresh_token"])
		b.wantUserinfo(t, offline["access_token"].(string), http.StatusOK)
		b.disableUser(t, true)
		b.refuseRefresh(t, offline["refresh_token"], "invalid_grant")
	})
}

// Any site can send a browser here: without a hint of this very session nothing
// happens before the person agrees.
func TestLO01_TestLO02_TestP68_OthersMustAsk(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		bob := b.user(t, "bob@example.com", password)
		other := b.visitor(t)
		theirs := other.arrive(t, bob.Email)
		v := b.visitor(t)
		ours := v.arrive(t, alice)
		elsewhere := b.visitor(t).arrive(t, alice) // alice herself, in another browser
		for name, target := range map[string]string{
			"nothing":                 b.leave(),
			"only state":              b.leave("state", "x"),
			"client_id":               b.leave("client_id", b.Client.ID, "post_logout_redirect_uri", goodbye),
			"hint of another user":    b.leave("id_token_hint", theirs["id_token"].(string), "post_logout_redirect_uri", goodbye),
			"hint of another session": b.leave("id_token_hint", elsewhere["id_token"].(string), "post_logout_redirect_uri", goodbye),
			"logout_hint":             b.leave("logout_hint", b.Alice.ID, "sid", fmt.Sprint(claimsOf(t, ours["id_token"])["sid"])),
			"empty hint":              b.leave("id_token_hint", ""),
		} {
			s := v.get(t, target)
			if s.Left != nil || s.StatusCode != http.StatusOK || !strings.Contains(s.Body, `id="signout"`) || len(s.Cookies()) != 0 {
				t.Errorf("%s: status %d, left to %v, cookies %v\n%s", name, s.StatusCode, s.Left, s.Cookies(), s.Body)
			}
			if !strings.Contains(s.Body, alice) || strings.Contains(s.Body, bob.Email) {
				t.Errorf("%s: the page asks about somebody else:\n%s", name, s.Body)
			}
			v.wantSignedIn(t)
			other.wantSignedIn(t)
		}
		b.wantUserinfo(t, theirs["access_token"].(string), http.StatusOK)

		// Refused, and then agreed to, with the hint of another user.
		page := v.get(t, b.leave("id_token_hint", theirs["id_token"].(string), "post_logout_redirect_uri", goodbye, "state", "s"))
		if s := v.submit(t, page.form(t), "decision", "deny"); s.Left != nil {
			t.Errorf("refused: left to %s", s.Left)
		}
		v.wantSignedIn(t)
		if s := v.submit(t, page.form(t), "decision", "allow"); s.Left == nil || s.Left.String() != goodbye+"&state=s" {
			t.Errorf("agreed: left to %v", s.Left)
		}
		v.wantSignedOut(t)
		other.wantSignedIn(t)
		b.wantUserinfo(t, elsewhere["access_token"].(string), http.StatusOK)
		b.wantUserinfo(t, theirs["access_token"].(string), http.StatusOK)

		// P68: without a redirect URI, a page says that it is over.
		page = other.get(t, b.leave())
		s := other.submit(t, page.form(t), "decision", "allow")
		if s.Left != nil || s.StatusCode != http.StatusOK || !strings.Contains(s.Body, "You are signed out") {
			t.Errorf("signed out: status %d, left to %v\n%s", s.StatusCode, s.Left, s.Body)
		}
		other.wantSignedOut(t)
	})
}

func TestLO07_CrossSitePostHasNoEffect(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := v.arrive(t, alice)
		mallory := b.visitor(t)
		b.user(t, "mallory@example.com", password)
		mallory.arrive(t, "mallory@example.com")
		foreign := mallory.get(t, b.leave()).form(t).values
		own := v.get(t, b.leave()).form(t).values
		for name, form := range map[string]url.Values{
			"nothing":                {},
			"decision":               {"decision": {"allow"}},
			"empty ticket":           {"decision": {"allow"}, "ticket": {""}, "logout": own["logout"]},
			"another's ticket":       {"decision": {"allow"}, "ticket": foreign["ticket"], "logout": foreign["logout"]},
			"ticket for other words": {"decision": {"allow"}, "ticket": own["ticket"], "logout": foreign["logout"]},
			"ticket of another form": {"decision": {"allow"}, "ticket": {"x"}, "logout": own["logout"]},
			"ticket without message": {"decision": {"allow"}, "ticket": own["ticket"]},
		} {
			for _, site := range []string{"cross-site", "same-site", ""} {
				r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/end_session", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", formType)
				r.Header.Set("Origin", "https://evil.example")
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				if a := do(t, v.client, r); len(a.Cookies()) != 0 || a.StatusCode >= 500 {
					t.Errorf("%s: got %d, cookies %v", name, a.StatusCode, a.Cookies())
				}
			}
			v.wantSignedIn(t)
			mallory.wantSignedIn(t)
		}
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
	})
}

func TestLO12_TestLO13_CookieIsDeletedAsItWasSet(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		set := v.signInAnswer(t).Cookies()
		hint := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL())).code(t))["id_token"].(string)
		a := v.fetch(t, b.leave("id_token_hint", hint))
		deleted := a.Cookies()
		// The browser stays known to its user; the cookies of the first-party app go along.
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

// signInAnswer is the answer to the right password.
func (v *visitor) signInAnswer(t *testing.T, pairs ...string) answer {
	t.Helper()
	f := v.get(t, v.b.authorizeURL()).form(t)
	f.values.Set("username", alice)
	f.values.Set("password", password)
	for i := 0; i < len(pairs); i += 2 {
		f.values.Set(pairs[i], pairs[i+1])
	}
	return do(t, v.client, v.formRequest(t, f))
}

// What was made in one session, used again, later, or in another browser.
func TestLO15_ConfirmationBelongsToItsSession(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		b.user(t, "bob@example.com", password)
		v, w := b.visitor(t), b.visitor(t)
		v.arrive(t, alice)
		w.arrive(t, "bob@example.com")
		confirmation := v.get(t, b.leave("client_id", b.Client.ID, "post_logout_redirect_uri", goodbye)).form(t)

		w.submit(t, confirmation, "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		w.wantSignedIn(t)
		v.wantSignedIn(t)

		if s := v.submit(t, confirmation, "decision", "allow"); s.Left == nil {
			t.Errorf("status %d at %s", s.StatusCode, s.At)
		}
		v.wantSignedOut(t)
		if s := v.submit(t, confirmation, "decision", "allow"); s.StatusCode >= 400 && s.StatusCode != http.StatusConflict {
			t.Errorf("twice: status %d", s.StatusCode)
		}
		v.arrive(t, alice) // another session of the same user in the same browser
		v.submit(t, confirmation, "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		v.wantSignedIn(t)

		page := v.get(t, b.leave())
		b.pass(31 * time.Minute)
		v.submit(t, page.form(t), "decision", "allow").wantPage(t, http.StatusConflict, "stale_form")
		v.wantSignedIn(t)
	})
}

// Every hint, client_id and address that an application may send, in every combination:
// whatever cannot be used is left out, said in the log, and leaves nobody signed in. A
// session ends at once by its own hint alone; an address is followed only if the client
// that asks has registered it, and no client needs to be named if one alone has.
func TestEndSession_WhatCannotBeUsedIsLeftOut(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		const shared, others = "https://shared.example.com/bye", "https://other.example.com/bye"
		b.Client.Metadata.PostLogoutRedirectURIs = []string{goodbye, shared}
		b.changeClient(t, func(*storage.Client) {})
		b.registerWith(t, storage.Web, "other", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = []string{callback}, []string{others, shared}
		})
		off := b.as(b.registerWith(t, storage.Web, "off", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = []string{callback}, []string{"https://off.example.com/bye"}
		}))
		b.follow(t)
		theirs := b.visitor(t).arrive(t, alice)["id_token"].(string) // alice in another browser
		offHint := off.visitor(t).arrive(t, alice)["id_token"].(string)
		off.disableClient(t, true)
		b.follow(t)

		parts := strings.Split(theirs, ".")
		hints := map[string]string{
			"": "", "own": "own", "of another session": theirs, "of a disabled client": offHint, "garbage": "x",
			"forged": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), "unsigned": b64(`{"alg":"none"}`) + "." + parts[1] + ".",
		}
		addresses := map[string]string{ // and who has registered them
			"": "", goodbye: b.Client.ID, shared: b.Client.ID + " other", others: "other",
			"https://off.example.com/bye": "off", "https://evil.example/": "", goodbye + "&x=1": "", goodbye + "#x": "",
			goodbye + "\r\nSet-Cookie: x=1": "", "javascript:alert(1)": "", callback: "", "https://app.example.com/goodbye": "",
		}
		for how, hint := range hints {
			for _, id := range []string{"", b.Client.ID, "other", "off", "unknown"} {
				for address, registered := range addresses {
					v := b.visitor(t)
					ours := v.arrive(t, alice)["id_token"].(string)
					sent := hint
					if how == "own" {
						sent = ours
					}
					issued := map[string]string{"own": b.Client.ID, "of another session": b.Client.ID, "of a disabled client": "off"}[how]
					usable := issued == b.Client.ID && (id == "" || id == issued)
					asking := id // the client that the request names
					if issued != "" && id == "" {
						asking = issued
					}
					if asking == "" && len(strings.Fields(registered)) == 1 {
						asking = registered
					}
					follows := slices.Contains(strings.Fields(registered), asking) && asking != "off"
					atOnce := how == "own" && usable

					logged := len(b.Log.String())
					s := v.get(t, b.leave("id_token_hint", sent, "client_id", id, "post_logout_redirect_uri", address))
					what := fmt.Sprintf("hint %q, client_id %q, address %q", how, id, address)
					if asked := strings.Contains(s.Body, `id="signout"`); asked == atOnce {
						t.Fatalf("%s: asked %v, status %d\n%s", what, asked, s.StatusCode, s.Body)
					}
					if !atOnce {
						if s.StatusCode != http.StatusOK || len(s.Cookies()) != 0 || !v.signedIn(t) {
							t.Fatalf("%s: status %d, cookies %v", what, s.StatusCode, s.Cookies())
						}
						s = v.submit(t, s.form(t), "decision", "allow")
					}
					if follows != (s.Left != nil && s.Left.String() == address) || !follows && s.Left != nil {
						t.Errorf("%s: left to %v, want to follow: %v", what, s.Left, follows)
					}
					if !follows && !strings.Contains(s.Body, "You are signed out") {
						t.Errorf("%s: status %d\n%s", what, s.StatusCode, s.Body)
					}
					if v.signedIn(t) {
						t.Errorf("%s: still signed in", what)
					}
					log := b.Log.String()[logged:]
					for parameter, left := range map[string]bool{
						"id_token_hint":            how != "" && how != "own" && how != "of another session" && how != "of a disabled client" || issued != "" && id != "" && id != issued,
						"client_id":                id == "off" || id == "unknown" || id == "" && issued == "off",
						"post_logout_redirect_uri": address != "" && !follows,
					} {
						if got := strings.Contains(log, `"ignored_`+parameter+`"`); got != left {
							t.Errorf("%s: the log says that %s was left out: %v, want %v", what, parameter, got, left)
						}
					}
				}
			}
		}
	})
}

// Parameters that cannot be read are an error, whose page leads to the sign-out.
func TestEndSession_UnreadableParameters(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		v := b.visitor(t)
		hint := v.arrive(t, alice)["id_token"].(string)
		for name, target := range map[string]string{
			"twice":              b.leave("id_token_hint", hint) + "&id_token_hint=" + hint,
			"twice, one empty":   b.leave("post_logout_redirect_uri", goodbye, "id_token_hint", hint) + "&state=a&state=b",
			"bad escape":         b.leave("id_token_hint", hint) + "&state=%zz",
			"NUL":                b.leave("id_token_hint", hint, "state", "\x00"),
			"not UTF-8":          b.leave("id_token_hint", hint, "state", "\xff"),
			"message of another": b.leave("logout", "AAAA"),
		} {
			s := v.get(t, target)
			if s.Left != nil || s.StatusCode != http.StatusBadRequest || len(s.Cookies()) != 0 || !strings.Contains(s.Body, "invalid_request") {
				t.Errorf("%s: status %d, left to %v, cookies %v", name, s.StatusCode, s.Left, s.Cookies())
			}
			if !strings.Contains(s.Body, `id="start" href="/end_session"`) {
				t.Errorf("%s: the page does not lead to the sign-out:\n%s", name, s.Body)
			}
			if !v.signedIn(t) {
				t.Fatalf("%s: the session was ended", name)
			}
		}
	})
}

func TestEndSession_OldHints(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		v := b.visitor(t)
		hint := v.arrive(t, alice)["id_token"].(string)
		b.pass(30 * 24 * time.Hour) // an old ID token is still good to say whose it was
		if s := v.get(t, b.leave("id_token_hint", hint, "post_logout_redirect_uri", goodbye)); s.Left == nil || s.Left.String() != goodbye {
			t.Errorf("after a month: status %d, left to %v", s.StatusCode, s.Left)
		}
		v.arrive(t, alice)
		b.pass(400 * 24 * time.Hour) // one that is too old is none; nobody is signed in any more, either
		if s := v.get(t, b.leave("id_token_hint", hint, "post_logout_redirect_uri", goodbye)); s.Left == nil || s.Left.String() != goodbye {
			t.Errorf("after two years: status %d, left to %v", s.StatusCode, s.Left)
		}
	})
}

// The address is looked at again when the message comes back.
func TestLO_RedirectWithdrawnWhileThePageLiesOpen(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.withGoodbye(t)
		v := b.visitor(t)
		v.arrive(t, alice)
		page := v.get(t, b.leave("client_id", b.Client.ID, "post_logout_redirect_uri", goodbye))
		b.changeClient(t, func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = nil })
		s := v.submit(t, page.form(t), "decision", "allow")
		if s.Left != nil || !strings.Contains(s.Body, "You are signed out") {
			t.Errorf("status %d, left to %v", s.StatusCode, s.Left)
		}
		v.wantSignedOut(t)
	})
}
