package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// secure is the issuer of the tests that are about https.
const secure = "https://id.example.com"

// withCookies opens the home page with these Cookie headers, as they are, and
// tells whether somebody is signed in.
func (b *testbed) withCookies(t *testing.T, headers ...string) bool {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Cookie"] = headers
	return strings.Contains(do(t, direct, r).Body, alice)
}

// sessionCookie is the name of the session's cookie.
func (b *testbed) sessionCookie() string {
	if strings.HasPrefix(b.Issuer, "https:") {
		return "__Host-signet"
	}
	return "signet"
}

func TestSS02_TestSS03_PlantedCookies(t *testing.T) {
	for _, issuer := range []string{"", secure} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			b.user(t, "mallory@example.com", password)
			v, m := b.visitor(t), b.visitor(t)
			v.arrive(t, alice)
			m.arrive(t, "mallory@example.com")
			name := b.sessionCookie()
			good, planted := v.cookie(t, name).Value, m.cookie(t, name).Value
			if !b.withCookies(t, name+"="+good) {
				t.Fatal("the good cookie is refused: the others would prove nothing")
			}
			for _, headers := range [][]string{
				{name + "=" + planted + "; " + name + "=" + good}, {name + "=" + good + "; " + name + "=" + planted},
				{name + "=" + good, name + "=" + planted}, {name + "=x; " + name + "=" + good}, {name + "=; " + name + "=" + good},
				{name + "=" + good + "; " + name + "=" + good},
				{"=" + name + "=" + good}, {"=" + good}, {"\u2000" + name + "=" + good}, {"\u00a0" + name + "=" + good}, {"\x85" + name + "=" + good}, {strings.ToUpper(name) + "=" + good}, {name + "%00=" + good},
				{"__Host-" + name + "=" + good}, {"__Secure-signet=" + good}, {"x" + name + "=" + good}, {name + "x=" + good}, {name + "." + name + "=" + good},
				{name + "=" + good + "x"}, {name + "=" + good[1:]}, {name + "=" + good + "," + name + "=x"}, {name + "=" + strings.ToLower(good)},
				{"[" + name + "]=" + good}, {"other=1, " + name + "=" + good}, {name + "=" + good + "%20"}, {name + "_pending=" + good}, {name + "=null"},
			} {
				if b.withCookies(t, headers...) {
					t.Errorf("signed in by %q", headers)
				}
			}
			if issuer != "" && b.withCookies(t, "signet="+good) {
				t.Error("signed in by a cookie without the prefix, which any sibling host can plant")
			}
			v.wantSignedIn(t)
			m.wantSignedIn(t)
		}, issuedOr(issuer))
	}
}

// issuedOr leaves the issuer as it is for "".
func issuedOr(issuer string) option {
	if issuer == "" {
		return func(*provider.Config) {}
	}
	return issuedBy(issuer)
}

// Session fixation: whatever handle the browser comes with, the one it leaves with
// is new, and the old one is worth nothing.
func TestSS02_EverySignInMakesANewHandle(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.user(t, "mallory@example.com", password)
		m := b.visitor(t)
		m.arrive(t, "mallory@example.com")
		v := b.visitor(t)
		v.arrive(t, alice)
		for name, before := range map[string]string{
			"made up": strings.Repeat("A", 43), "mallory's": m.cookie(t, "signet").Value, "own": v.cookie(t, "signet").Value, "endless": strings.Repeat("A", 3000),
		} {
			w := b.visitor(t)
			w.keep("signet", before)
			w.arrive(t, alice)
			after := w.cookie(t, "signet").Value
			if after == before || b.withCookies(t, "signet="+before) || !b.withCookies(t, "signet="+after) {
				t.Errorf("%s: the handle %.50s is still good, or the new one is not", name, before)
			}
		}
		if m.signedIn(t) || strings.Contains(m.get(t, b.Issuer+"/").Body, "mallory") {
			t.Error("a session that was replaced goes on")
		}
	})
}

func TestSS04_CookieAttributes(t *testing.T) {
	for _, issuer := range []string{"", secure} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			for keep, want := range map[string]string{"": "", "on": "; Max-Age=2592000"} {
				v := b.visitor(t)
				a := v.signInAnswer(t, "keep", keep)
				lines := a.Header.Values("Set-Cookie")
				if len(lines) != 2 {
					t.Fatalf("cookies: %q", lines)
				}
				line := lines[0]
				value, attributes, _ := strings.Cut(strings.TrimPrefix(line, b.sessionCookie()+"="), ";")
				if len(value) != 43 || value == line {
					t.Errorf("cookie %q: want %s with 256 bits", line, b.sessionCookie())
				}
				expected := "; Path=/" + want + "; HttpOnly; SameSite=Lax"
				if issuer != "" {
					expected = "; Path=/" + want + "; HttpOnly; Secure; SameSite=Lax"
				}
				if ";"+attributes != expected {
					t.Errorf("keep %q: attributes %q, want %q", keep, ";"+attributes, expected)
				}
				// Whom the browser is known to, it keeps for half a year.
				known := b.sessionCookie() + "_device=" + v.cookie(t, b.sessionCookie()+"_device").Value +
					"; Path=/; Max-Age=15552000" + strings.Replace(expected, "; Path=/"+want, "", 1)
				if lines[1] != known {
					t.Errorf("got %s, want %s", lines[1], known)
				}
				// On its way out it is deleted in the same words, before those of the first-party app.
				s := v.get(t, b.leave())
				deleted := do(t, v.client, v.formRequest(t, withDecision(s.form(t), "allow"))).Header.Values("Set-Cookie")
				if len(deleted) != 3 || deleted[0] != b.sessionCookie()+"="+strings.Replace(expected, want+"; HttpOnly", "; Max-Age=0; HttpOnly", 1) {
					t.Errorf("deleted by %q", deleted)
				}
			}
		}, issuedOr(issuer))
	}
}

func withDecision(f form, decision string) form {
	f.values.Set("decision", decision)
	return f
}

// Nobody but the sign-in sets cookies: strangers, refusals and reads do not.
func TestSS04_OnlyASignInSetsCookies(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, route := range routes(t) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if a := b.call(t, method, route, nil); len(a.Cookies()) != 0 {
					t.Errorf("%s %s sets %v", method, route, a.Cookies())
				}
			}
		}
		page := v.get(t, b.authorizeURL())
		if s := v.signIn(t, page, alice, "wrong"); len(s.Cookies()) != 0 {
			t.Errorf("a wrong password sets %v", s.Cookies())
		}
	})
}

// origins are what a browser may say of where a form came from: Origin and
// Sec-Fetch-Site, and whether that may act. "" is a header that is not sent.
func origins(issuer string) map[[2]string]bool {
	u, _ := url.Parse(issuer)
	twin := map[string]string{"http": "https", "https": "http"}[u.Scheme]
	return map[[2]string]bool{
		{issuer, "same-origin"}: true,
		{issuer, ""}:            true,
		{"null", "same-origin"}: true, // Fetch, section 3.2: so a page with no-referrer posts to itself
		{"", "same-origin"}:     true,

		{"null", ""}: false, {"null", "cross-site"}: false, {"null", "same-site"}: false, {"", "cross-site"}: false, {"", "same-site"}: false,
		{"https://evil.example", ""}: false, {"https://evil.example", "cross-site"}: false,
		{"https://evil." + u.Hostname(), "same-site"}: false, {"https://evil." + u.Hostname(), ""}: false,
		{u.Scheme + "://" + u.Hostname() + ":1", ""}: false, {u.Scheme + "://" + u.Hostname() + ":1", "same-site"}: false,
		{twin + "://" + u.Host, ""}: false, {twin + "://" + u.Host, "cross-site"}: false,
		{issuer + "/", ""}: false, {issuer + ".evil.example", ""}: false, {"x" + issuer, ""}: false, {u.Host, ""}: false,
		{strings.ToUpper(issuer), ""}: false, {issuer + "@evil.example", ""}: false, {"file://", ""}: false,
		{"chrome-extension://" + u.Host, ""}: false, {"https://evil.example, " + issuer, ""}: false,
	}
}

func TestSS07_TestSS08_FormsOfOtherOrigins(t *testing.T) {
	for _, issuer := range []string{"", secure} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			s := b.bench(t)
			consent := s.form(t, "/consent")
			consent.values.Set("decision", "deny")
			choice := s.form(t, "/select")
			choice.values.Set("decision", "continue")
			asked := s.v.get(t, b.authorizeURL("prompt", "login"))
			login, decline := asked.formTo(t, "/login", "", ""), asked.formTo(t, "/decline", "", "")
			login.values.Set("username", alice)
			login.values.Set("password", "wrong")
			for path, c := range map[string]struct {
				form   form
				inside int // the status of a form that was let in
			}{"/login": {login, http.StatusUnprocessableEntity}, "/decline": {decline, http.StatusOK}, "/consent": {consent, http.StatusOK}, "/select": {choice, http.StatusOK}} {
				for from, allowed := range origins(b.Issuer) {
					r := s.v.formRequest(t, c.form)
					r.Header.Del("Origin")
					r.Header.Del("Sec-Fetch-Site")
					if from[0] != "" {
						r.Header.Set("Origin", from[0])
					}
					if from[1] != "" {
						r.Header.Set("Sec-Fetch-Site", from[1])
					}
					a := do(t, s.v.client, r)
					want := http.StatusForbidden
					if allowed {
						want = c.inside
					}
					if a.StatusCode != want || len(a.Cookies()) != 0 || a.Header.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%s from Origin %q, Sec-Fetch-Site %q: got %d, want %d", path, from[0], from[1], a.StatusCode, want)
					}
				}
				// The host that a request names proves nothing about its origin.
				r := s.v.formRequest(t, c.form)
				r.Header.Del("Sec-Fetch-Site")
				r.Host = "evil.example"
				r.Header.Set("Origin", "https://evil.example")
				if a := do(t, s.v.client, r); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s with Host and Origin of another site: got %d", path, a.StatusCode)
				}
			}
		}, issuedOr(issuer))
	}
}

// Engines that send neither header get in by the ticket, and by that alone.
func TestSS10_TicketIsTheProofOfOldEngines(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		s := b.bench(t)
		b.user(t, "mallory@example.com", password)
		m := &bench{b, b.visitor(t), map[string]any{}}
		m.v.arrive(t, "mallory@example.com")
		earlier := s.ticket(t, "/consent")
		s.tokens["request"] = s.request(t) // another request of the same person
		m.tokens["request"] = s.tokens["request"]
		send := func(path, decision, ticket string) answer {
			f := s.form(t, path)
			f.values.Set("ticket", ticket)
			if ticket == "" {
				f.values.Del("ticket")
			}
			f.values.Set("decision", decision)
			r := s.v.formRequest(t, f)
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Cookie", "ticket="+ticket) // a planted double of it
			return do(t, s.v.client, r)
		}
		tickets := map[string]func() string{
			"none":             func() string { return "" },
			"made up":          func() string { return strings.Repeat("A", 200) },
			"mallory's":        func() string { return m.ticket(t, "/consent") },
			"another request":  func() string { return earlier },
			"another purpose":  func() string { return s.ticket(t, "/select") },
			"cut":              func() string { good := s.ticket(t, "/consent"); return good[:len(good)-1] },
			"session's handle": func() string { return s.v.cookie(t, "signet").Value },
			"sid":              func() string { return fmt.Sprint(claimsOf(t, s.tokens["id_token"])["sid"]) },
		}
		for name, ticket := range tickets {
			if a := send("/consent", "deny", ticket()); a.StatusCode != http.StatusConflict {
				t.Errorf("%s: got %d", name, a.StatusCode)
			}
		}
		old := s.ticket(t, "/consent")
		b.pass(31 * time.Minute)
		s.tokens["request"] = s.request(t)
		if a := send("/consent", "deny", old); a.StatusCode != http.StatusConflict {
			t.Errorf("a ticket of half an hour ago: got %d", a.StatusCode)
		}
		if a := send("/consent", "deny", s.ticket(t, "/consent")); a.StatusCode != http.StatusOK {
			t.Errorf("the good ticket: got %d", a.StatusCode)
		}
	})
}

func TestSS15_IdleAndAbsoluteTimeouts(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, func(c *provider.Config) { c.Lifetimes.SessionMax = 48 * time.Hour })
		v := b.visitor(t)
		v.flow(t)
		b.pass(12*time.Hour - time.Minute)
		v.wantSignedIn(t)
		b.pass(2 * time.Minute)
		v.wantSignedOut(t) // merely looking has kept nothing alive

		v = b.visitor(t)
		tokens := v.arrive(t, alice)
		for range 4 {
			b.pass(11 * time.Hour)
			tokens = b.redeem(t, v.again(t))
		}
		b.pass(4*time.Hour - time.Minute) // two days less a minute, and used four hours ago
		v.wantSignedIn(t)
		b.pass(2 * time.Minute)
		v.wantSignedOut(t)
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		b.refuseRefresh(t, tokens["refresh_token"], "invalid_grant")
	})
}

// A tab that refreshes for ever ends with the session, which nothing extends.
func TestSS15_OpenTabOfTheAppEndsWithTheSession(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.signInApp(t)
		for range 15 {
			b.pass(3 * time.Hour)
			v.refreshApp(t)
		}
		b.pass(3*time.Hour - time.Minute)
		v.refreshApp(t)
		b.pass(2 * time.Minute)
		wantAppError(t, v.app(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
		v.wantApp(t, false)

		idle := b.visitor(t)
		idle.signInApp(t)
		b.pass(4 * time.Hour)
		idle.wantApp(t, true)
		b.pass(2 * time.Minute)
		wantAppError(t, idle.app(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
	}, func(c *provider.Config) {
		c.Lifetimes.SessionMax, c.Lifetimes.SessionKept = 48*time.Hour, 4*time.Hour+time.Minute
	})
}

func TestSS18_StoredSessionsSignNobodyIn(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.arrive(t, alice)
		handle := v.cookie(t, "signet").Value
		rows := b.table(t, "sessions")
		if len(rows) == 0 {
			t.Fatal("no session is stored")
		}
		for _, row := range rows {
			for column, value := range row {
				if value == handle || value != "" && b.withCookies(t, "signet="+value) {
					t.Errorf("sessions.%s signs in: %s", column, value)
				}
			}
		}
	})
}

// Each endpoint hears one of the two: what an application's token says where the
// session's cookie counts, and the other way round, is not read.
func TestSS13_CookieAndTokenOfDifferentUsers(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		b.user(t, "bob@example.com", password)
		hers, his := b.visitor(t), b.visitor(t)
		token := hers.arrive(t, alice)["access_token"].(string)
		wantStatus(t, his.byApp(t, "bob@example.com", password, ""), http.StatusOK)
		bearer := with("Authorization", "Bearer "+token)

		r := mustGet(t, b.Issuer+"/userinfo")
		bearer(r)
		if a := do(t, his.client, r); a.json(t)["email"] != alice {
			t.Errorf("userinfo of alice's token and bob's cookies: %s", a.Body)
		}
		if a := his.app(t, "/session", "", bearer); a.json(t)["user"].(map[string]any)["email"] != "bob@example.com" {
			t.Errorf("session of bob's cookies and alice's token: %s", a.Body)
		}
		b.pass(time.Minute)
		if p := pairOf(t, wantStatus(t, his.app(t, "/refresh", "", bearer), http.StatusOK)); claimsOf(t, p.access.Value)["sub"] == b.Alice.ID {
			t.Error("refresh gave bob alice's tokens")
		}
		r = mustGet(t, b.Issuer+"/account")
		bearer(r)
		if a := do(t, his.client, r); !strings.Contains(a.Body, "bob@example.com") || strings.Contains(a.Body, alice) {
			t.Errorf("the account page: %s", a.Body)
		}
		wantStatus(t, his.app(t, "/logout", "", bearer), http.StatusNoContent)
		his.wantApp(t, false)
		if !hers.signedIn(t) {
			t.Error("bob's sign-out has ended alice's session")
		}
		b.wantUserinfo(t, token, http.StatusOK)
	})
}

// A browser that has lost some of its cookies, and got another person's in their
// place, is the session's owner's or nobody's.
func TestSS25_LostCookiesMakeNobodyAnother(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		bob := b.user(t, "bob@example.com", password)
		names := []string{"signet", "signet_device", "access_token", "refresh_token"}
		signedIn := func(email string) map[string]string {
			cookies := map[string]string{}
			for _, c := range wantStatus(t, b.visitor(t).byApp(t, email, password, ""), http.StatusOK).Cookies() {
				cookies[c.Name] = c.Value
			}
			if len(cookies) != len(names) {
				t.Fatalf("cookies %v", cookies)
			}
			return cookies
		}
		hers, his := signedIn(alice), signedIn(bob.Email)
		for round := range 81 { // each cookie is alice's, bob's or lost
			var header []string
			owner := ""
			for i, n := 0, round; i < len(names); i, n = i+1, n/3 {
				from, email := map[int]map[string]string{1: hers, 2: his}[n%3], []string{"", alice, bob.Email}[n%3]
				if from == nil {
					continue
				}
				header = append(header, names[i]+"="+from[names[i]])
				if names[i] == "signet" {
					owner = email
				}
			}
			v := b.visitor(t)
			v.client = direct
			lot := with("Cookie", strings.Join(header, "; "))
			said := v.app(t, "/session", "", lot).json(t)
			if user, _ := said["user"].(map[string]any); owner == "" && said["authenticated"] != false || owner != "" && user["email"] != owner {
				t.Fatalf("%q: session says %v, want %q", header, said, owner)
			}
			a := v.app(t, "/refresh", "", lot)
			if owner == "" {
				wantAppError(t, a, http.StatusUnauthorized, "login_required")
				continue
			}
			if sub := claimsOf(t, pairOf(t, wantStatus(t, a, http.StatusOK)).access.Value)["sub"]; (sub == b.Alice.ID) != (owner == alice) {
				t.Fatalf("%q: tokens of %v, want %s", header, sub, owner)
			}
			b.pass(time.Second)
		}
	})
}

// What an application was given for itself opens nothing of the account, the
// first-party app's calls or the administration, wherever it is put.
func TestSS26_ApplicationsTokensOpenNoAccount(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		const root = "root@example.com"
		b.local(t, storage.User{Email: root, EmailVerified: true, Admin: true}, password)
		v := b.visitor(t)
		tokens := v.arrive(t, root)
		if page := v.get(t, b.Issuer+"/admin"); page.StatusCode != http.StatusOK || page.At.Path != "/admin" {
			t.Fatalf("her own browser is at %s, status %d: the rest would prove nothing", page.At, page.StatusCode)
		}
		compared := 0
		for _, route := range append(routes(t), "/") {
			if !strings.HasPrefix(route, "/account") && !strings.HasPrefix(route, "/admin") && !slices.Contains([]string{"/session", "/refresh", "/logout", "/authorize/next", "/"}, route) {
				continue
			}
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				want := b.call(t, method, route, http.Header{"Sec-Fetch-Site": {"same-origin"}})
				for _, token := range []any{tokens["access_token"], tokens["id_token"], tokens["refresh_token"]} {
					value := token.(string)
					for _, headers := range []http.Header{
						{"Authorization": {"Bearer " + value}},
						{"Cookie": {"access_token=" + value + "; refresh_token=" + value}},
						{"Cookie": {"signet=" + value + "; signet_device=" + value + "; signet_pending=" + value}},
					} {
						headers.Set("Sec-Fetch-Site", "same-origin")
						got := b.call(t, method, route, headers)
						compared++
						if got.StatusCode != want.StatusCode || strings.Contains(got.Body, root) || strings.HasPrefix(want.Header.Get("Location"), "/login") != strings.HasPrefix(got.Header.Get("Location"), "/login") {
							t.Errorf("%s %s with a token: got %d to %q, want %d to %q as without", method, route, got.StatusCode, got.Header.Get("Location"), want.StatusCode, want.Header.Get("Location"))
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
