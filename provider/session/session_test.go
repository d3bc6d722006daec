package session_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// isSignedInBy opens the home page with exactly these Cookie headers, and reports whether
// alice is signed in.
func isSignedInBy(t *testing.T, b *providertest.Testbed, headers ...string) bool {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Cookie"] = headers
	return strings.Contains(providertest.Do(t, providertest.Direct, r).Body, providertest.Alice)
}

// SS-02: A sibling subdomain plants a cookie of the same name, with Domain and a longer path, so that it comes first.
// SS-03: A nameless cookie =__Host-x=.
func TestSession_PlantedCookies(t *testing.T) {
	for _, issuer := range []string{"", providertest.HTTPSIssuer} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			b.User(t, "mallory@example.com", providertest.Password)
			v, m := b.Visitor(t), b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			m.SignInAndRedeem(t, "mallory@example.com")
			name := b.SessionCookie()
			valid, planted := v.Cookie(t, name).Value, m.Cookie(t, name).Value
			if !isSignedInBy(t, b, name+"="+valid) {
				t.Fatal("the valid cookie is refused, so the test would prove nothing about the others")
			}
			for _, headers := range [][]string{
				{name + "=" + planted + "; " + name + "=" + valid}, {name + "=" + valid + "; " + name + "=" + planted},
				{name + "=" + valid, name + "=" + planted}, {name + "=x; " + name + "=" + valid}, {name + "=; " + name + "=" + valid},
				{name + "=" + valid + "; " + name + "=" + valid},
				{"=" + name + "=" + valid}, {"=" + valid}, {"\u2000" + name + "=" + valid}, {"\u00a0" + name + "=" + valid}, {"\x85" + name + "=" + valid}, {strings.ToUpper(name) + "=" + valid}, {name + "%00=" + valid},
				{"__Host-" + name + "=" + valid}, {"__Secure-signet=" + valid}, {"x" + name + "=" + valid}, {name + "x=" + valid}, {name + "." + name + "=" + valid},
				{name + "=" + valid + "x"}, {name + "=" + valid[1:]}, {name + "=" + valid + "," + name + "=x"}, {name + "=" + strings.ToLower(valid)},
				{"[" + name + "]=" + valid}, {"other=1, " + name + "=" + valid}, {name + "=" + valid + "%20"}, {name + "_pending=" + valid}, {name + "=null"},
			} {
				if isSignedInBy(t, b, headers...) {
					t.Errorf("signed in by %q", headers)
				}
			}
			if issuer != "" && isSignedInBy(t, b, "signet="+valid) {
				t.Error("signed in by a cookie without the prefix, which any sibling host can plant")
			}
			v.WantSignedIn(t)
			m.WantSignedIn(t)
		}, providertest.WithIssuerIfSet(issuer))
	}
}

// Session fixation: after a sign-in the browser has a new handle, and its old handle is
// invalid.
// SS-02: A sibling subdomain plants a cookie of the same name, with Domain and a longer path, so that it comes first.
func TestSession_EverySignInMakesANewHandle(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "mallory@example.com", providertest.Password)
		m := b.Visitor(t)
		m.SignInAndRedeem(t, "mallory@example.com")
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		for name, before := range map[string]string{
			"made up": strings.Repeat("A", 43), "mallory's": m.Cookie(t, "signet").Value, "own": v.Cookie(t, "signet").Value, "endless": strings.Repeat("A", 3000),
		} {
			w := b.Visitor(t)
			w.SetCookie("signet", before)
			w.SignInAndRedeem(t, providertest.Alice)
			after := w.Cookie(t, "signet").Value
			if after == before || isSignedInBy(t, b, "signet="+before) || !isSignedInBy(t, b, "signet="+after) {
				t.Errorf("%s: the old handle %.50s is still valid, or the new one is not", name, before)
			}
		}
		if m.SignedIn(t) || strings.Contains(m.Get(t, b.Issuer+"/").Body, "mallory") {
			t.Error("mallory's replaced session is still valid")
		}
	})
}

// SS-04: The cookies have HttpOnly, Secure, SameSite, Path, no Domain, and the Max-Age of the session or token.
func TestSession_CookieAttributes(t *testing.T) {
	for _, issuer := range []string{"", providertest.HTTPSIssuer} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			for keep, want := range map[string]string{"": "", "on": "; Max-Age=2592000"} {
				v := b.Visitor(t)
				a := v.SignInAnswer(t, "keep", keep)
				lines := a.Header.Values("Set-Cookie")
				if len(lines) != 2 {
					t.Fatalf("cookies: %q", lines)
				}
				line := lines[0]
				value, attributes, _ := strings.Cut(strings.TrimPrefix(line, b.SessionCookie()+"="), ";")
				if len(value) != 43 || value == line {
					t.Errorf("cookie %q: want %s with 256 bits", line, b.SessionCookie())
				}
				expected := "; Path=/" + want + "; HttpOnly; SameSite=Lax"
				if issuer != "" {
					expected = "; Path=/" + want + "; HttpOnly; Secure; SameSite=Lax"
				}
				if ";"+attributes != expected {
					t.Errorf("keep %q: attributes %q, want %q", keep, ";"+attributes, expected)
				}
				// The browser stores the device's cookie for half a year.
				known := b.SessionCookie() + "_device=" + v.Cookie(t, b.SessionCookie()+"_device").Value +
					"; Path=/; Max-Age=15552000" + strings.Replace(expected, "; Path=/"+want, "", 1)
				if lines[1] != known {
					t.Errorf("got %s, want %s", lines[1], known)
				}
				// The sign-out deletes it with the same attributes, before the cookies of the first-party app.
				s := v.Get(t, b.EndSessionURL())
				deleted := providertest.Do(t, v.Client, v.FormRequest(t, providertest.WithDecision(s.Form(t), "allow"))).Header.Values("Set-Cookie")
				if len(deleted) != 3 || deleted[0] != b.SessionCookie()+"="+strings.Replace(expected, want+"; HttpOnly", "; Max-Age=0; HttpOnly", 1) {
					t.Errorf("deleted by %q", deleted)
				}
			}
		}, providertest.WithIssuerIfSet(issuer))
	}
}

// Only a successful sign-in sets cookies: calls without a session, refused passwords and reads set none.
// SS-04: The cookies have HttpOnly, Secure, SameSite, Path, no Domain, and the Max-Age of the session or token.
func TestSession_OnlyASignInSetsCookies(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, route := range providertest.Routes(t) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if a := b.CallRoute(t, method, route, nil); len(a.Cookies()) != 0 {
					t.Errorf("%s %s sets %v", method, route, a.Cookies())
				}
			}
		}
		page := v.Get(t, b.AuthorizeURL())
		if s := v.SignIn(t, page, providertest.Alice, "wrong"); len(s.Cookies()) != 0 {
			t.Errorf("a wrong password sets %v", s.Cookies())
		}
	})
}

// SS-15: A session ends by its idle and its absolute limit, also if an open tab refreshes tokens forever.
func TestSession_IdleAndAbsoluteTimeouts(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, func(c *provider.Config) { c.Lifetimes.SessionMax = 48 * time.Hour })
		v := b.Visitor(t)
		v.SignInForCode(t)
		b.Advance(12*time.Hour - time.Minute)
		v.WantSignedIn(t)
		b.Advance(2 * time.Minute)
		v.WantSignedOut(t) // opening a page does not extend the session

		v = b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		for range 4 {
			b.Advance(11 * time.Hour)
			tokens = b.Redeem(t, v.CodeFromSession(t))
		}
		b.Advance(4*time.Hour - time.Minute) // two days less a minute, and used four hours ago
		v.WantSignedIn(t)
		b.Advance(2 * time.Minute)
		v.WantSignedOut(t)
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		b.RefuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// SS-18: An attacker has read the table of sessions.
func TestSession_StoredSessionsSignNobodyIn(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		handle := v.Cookie(t, "signet").Value
		rows := b.Table(t, "sessions")
		if len(rows) == 0 {
			t.Fatal("no session is stored")
		}
		for _, row := range rows {
			for column, value := range row {
				if value == handle || value != "" && isSignedInBy(t, b, "signet="+value) {
					t.Errorf("sessions.%s signs in: %s", column, value)
				}
			}
		}
	})
}

// Each endpoint reads either the session's cookie or the token of an application, and
// ignores the other one.
// SS-13: A request has a cookie and an Authorization header of different users.
func TestSession_CookieAndTokenOfDifferentUsers(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		hers, his := b.Visitor(t), b.Visitor(t)
		token := hers.SignInAndRedeem(t, providertest.Alice)["access_token"].(string)
		providertest.WantStatus(t, his.TryPasswordInApp(t, "bob@example.com", providertest.Password, ""), http.StatusOK)
		bearer := providertest.WithHeader("Authorization", "Bearer "+token)

		r := providertest.NewGetRequest(t, b.Issuer+"/userinfo")
		bearer(r)
		if a := providertest.Do(t, his.Client, r); a.JSON(t)["email"] != providertest.Alice {
			t.Errorf("userinfo of alice's token and bob's cookies: %s", a.Body)
		}
		if a := his.CallApp(t, "/session", "", bearer); a.JSON(t)["user"].(map[string]any)["email"] != "bob@example.com" {
			t.Errorf("session of bob's cookies and alice's token: %s", a.Body)
		}
		b.Advance(time.Minute)
		if p := providertest.PairOf(t, providertest.WantStatus(t, his.CallApp(t, "/refresh", "", bearer), http.StatusOK)); providertest.ClaimsOf(t, p.Access.Value)["sub"] == b.Alice.ID {
			t.Error("refresh gave bob alice's tokens")
		}
		r = providertest.NewGetRequest(t, b.Issuer+"/account")
		bearer(r)
		if a := providertest.Do(t, his.Client, r); !strings.Contains(a.Body, "bob@example.com") || strings.Contains(a.Body, providertest.Alice) {
			t.Errorf("the account page: %s", a.Body)
		}
		providertest.WantStatus(t, his.CallApp(t, "/logout", "", bearer), http.StatusNoContent)
		his.WantApp(t, false)
		if !hers.SignedIn(t) {
			t.Error("bob's sign-out has ended alice's session")
		}
		b.WantUserinfo(t, token, http.StatusOK)
	})
}

// A browser has lost some of its cookies, and got cookies of another person instead. It
// counts as the browser of the session's owner, or as signed out.
// SS-25: An overflow of the cookie jar removes cookies, then a sibling host plants others.
func TestSession_MixedCookiesKeepTheSessionsOwner(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		bob := b.User(t, "bob@example.com", providertest.Password)
		names := []string{"signet", "signet_device", "access_token", "refresh_token"}
		signedIn := func(email string) map[string]string {
			cookies := map[string]string{}
			for _, c := range providertest.WantStatus(t, b.Visitor(t).TryPasswordInApp(t, email, providertest.Password, ""), http.StatusOK).Cookies() {
				cookies[c.Name] = c.Value
			}
			if len(cookies) != len(names) {
				t.Fatalf("cookies %v", cookies)
			}
			return cookies
		}
		hers, his := signedIn(providertest.Alice), signedIn(bob.Email)
		for round := range 81 { // each cookie is alice's, bob's or lost
			var header []string
			owner := ""
			for i, n := 0, round; i < len(names); i, n = i+1, n/3 {
				from, email := map[int]map[string]string{1: hers, 2: his}[n%3], []string{"", providertest.Alice, bob.Email}[n%3]
				if from == nil {
					continue
				}
				header = append(header, names[i]+"="+from[names[i]])
				if names[i] == "signet" {
					owner = email
				}
			}
			v := b.Visitor(t)
			v.Client = providertest.Direct
			cookies := providertest.WithHeader("Cookie", strings.Join(header, "; "))
			answer := v.CallApp(t, "/session", "", cookies).JSON(t)
			if user, _ := answer["user"].(map[string]any); owner == "" && answer["authenticated"] != false || owner != "" && user["email"] != owner {
				t.Fatalf("%q: /session answers %v, want user %q", header, answer, owner)
			}
			a := v.CallApp(t, "/refresh", "", cookies)
			if owner == "" {
				providertest.WantAppError(t, a, http.StatusUnauthorized, "login_required")
				continue
			}
			if sub := providertest.ClaimsOf(t, providertest.PairOf(t, providertest.WantStatus(t, a, http.StatusOK)).Access.Value)["sub"]; (sub == b.Alice.ID) != (owner == providertest.Alice) {
				t.Fatalf("%q: tokens of %v, want %s", header, sub, owner)
			}
			b.Advance(time.Second)
		}
	})
}

// The tokens of an application open no account page, no call of the first-party app and no
// page of the administration, neither as a header nor as a cookie.
// SS-26: A third-party OAuth client uses its access token at endpoints of the account (same issuer).
func TestSession_TokensOfApplicationsOpenNoAccount(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const root = "root@example.com"
		b.CreateUser(t, storage.User{Email: root, EmailVerified: true, Admin: true}, providertest.Password)
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, root)
		if page := v.Get(t, b.Issuer+"/admin"); page.StatusCode != http.StatusOK || page.At.Path != "/admin" {
			t.Fatalf("her own browser is at %s, status %d, so the test would prove nothing", page.At, page.StatusCode)
		}
		compared := 0
		for _, route := range append(providertest.Routes(t), "/") {
			if !strings.HasPrefix(route, "/account") && !strings.HasPrefix(route, "/admin") && !slices.Contains([]string{"/session", "/refresh", "/logout", "/authorize/next", "/"}, route) {
				continue
			}
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				want := b.CallRoute(t, method, route, http.Header{"Sec-Fetch-Site": {"same-origin"}})
				for _, token := range []any{tokens["access_token"], tokens["id_token"], tokens["refresh_token"]} {
					value := token.(string)
					for _, headers := range []http.Header{
						{"Authorization": {"Bearer " + value}},
						{"Cookie": {"access_token=" + value + "; refresh_token=" + value}},
						{"Cookie": {"signet=" + value + "; signet_device=" + value + "; signet_pending=" + value}},
					} {
						headers.Set("Sec-Fetch-Site", "same-origin")
						got := b.CallRoute(t, method, route, headers)
						compared++
						if got.StatusCode != want.StatusCode || strings.Contains(got.Body, root) || strings.HasPrefix(want.Header.Get("Location"), "/login") != strings.HasPrefix(got.Header.Get("Location"), "/login") {
							t.Errorf("%s %s with a token: got %d to %q, want %d to %q as without a token", method, route, got.StatusCode, got.Header.Get("Location"), want.StatusCode, want.Header.Get("Location"))
						}
					}
				}
			}
		}
		if compared < 100 {
			t.Errorf("only %d answers were compared", compared)
		}
	})
}
