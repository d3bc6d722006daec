package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// shop is where the pages of the first-party app live.
const shop = "https://shop.example.com"

const credentials = `{"username":"` + alice + `","password":"` + password + `"}`

// appAt says where the app's pages live.
func appAt(origins ...string) option {
	return func(c *provider.Config) { c.FirstParty.Origins = origins }
}

// withApp registers the first-party app.
func (b *testbed) withApp(t testing.TB) storage.Client {
	t.Helper()
	client, _ := b.registerWith(t, storage.SPA, "shop", func(c *storage.Client) {
		c.FirstParty, c.Metadata.RedirectURIs = true, []string{shop + "/"}
	})
	b.follow(t)
	return client
}

// eachApp runs the test on every database, with a first-party app.
func eachApp(t *testing.T, f func(t *testing.T, b *testbed), options ...option) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := startOn(t, backend, append([]option{appAt(shop)}, options...)...)
		b.withApp(t)
		f(t, b)
	})
}

// appOnSQLite is eachApp for what no database can change.
func appOnSQLite(t *testing.T, f func(t *testing.T, b *testbed), options ...option) {
	t.Helper()
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.withApp(t)
		f(t, b)
	}, append([]option{appAt(shop)}, options...)...)
}

// app is a call of the app's pages, which lie at the issuer's origin, as a browser
// makes it.
func (v *visitor) app(t *testing.T, path, body string, change ...func(*http.Request)) answer {
	t.Helper()
	method := http.MethodPost
	if path == "/session" {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, v.b.Issuer+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(r)
	}
	return do(t, v.client, r)
}

// with sets a header of a call; "" removes it.
func with(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
}

func wantStatus(t *testing.T, a answer, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: got %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.Body)
	}
	return a
}

// wantAppError wants an error of this status and code, which changes no cookie.
func wantAppError(t *testing.T, a answer, status int, code string) {
	t.Helper()
	wantOAuthError(t, a, status, code)
	if a.json(t)["error_description"] == "" || len(a.Cookies()) != 0 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("error %s: cookies %v, headers %v, body %s", code, a.Cookies(), a.Header, a.Body)
	}
}

// pair is the app's two cookies as an answer sets them.
type pair struct{ access, refresh *http.Cookie }

func pairOf(t *testing.T, a answer) pair {
	t.Helper()
	var p pair
	for _, c := range a.Cookies() {
		switch {
		case strings.HasSuffix(c.Name, "access_token"):
			p.access = c
		case strings.HasSuffix(c.Name, "refresh_token"):
			p.refresh = c
		}
	}
	if p.access == nil || p.refresh == nil || p.access.Value == "" || p.refresh.Value == "" {
		t.Fatalf("%s %s (%d) sets no pair of tokens but %v", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.Cookies())
	}
	return p
}

func (p pair) generation(t *testing.T) int64 { return generation(t, p.refresh.Value) }

// signInApp signs in by the app's own form.
func (v *visitor) signInApp(t *testing.T) pair {
	t.Helper()
	return pairOf(t, wantStatus(t, v.app(t, "/login", credentials), http.StatusOK))
}

func (v *visitor) refreshApp(t *testing.T) pair {
	t.Helper()
	return pairOf(t, wantStatus(t, v.app(t, "/refresh", ""), http.StatusOK))
}

// wantApp wants the app to hear whether somebody is signed in.
func (v *visitor) wantApp(t *testing.T, signedIn bool) map[string]any {
	t.Helper()
	got := wantStatus(t, v.app(t, "/session", ""), http.StatusOK).json(t)
	if got["authenticated"] != signedIn || !signedIn && len(got) != 1 {
		t.Fatalf("/session says %v, want authenticated: %v", got, signedIn)
	}
	return got
}

// present replaces the browser's refresh token.
func (v *visitor) present(token string) {
	u, _ := url.Parse(v.b.Issuer)
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "refresh_token", Value: token, Path: u.Path + "/refresh"}})
}

func TestFirstParty_SignInRefreshSignOut(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.wantApp(t, false)
		a := wantStatus(t, v.app(t, "/login", credentials), http.StatusOK)
		user := map[string]any{"sub": b.Alice.ID, "email": alice, "name": "Alice Liddell", "picture": ""}
		answered := a.json(t)
		wantUser(t, answered["user"], user)
		first := pairOf(t, a)
		b.wantAppToken(t, first.access.Value, answered["expires_at"])

		session := v.wantApp(t, true)
		wantUser(t, session["user"], user)
		claims := claimsOf(t, first.access.Value)
		if session["expires_at"] != answered["expires_at"] || !slices.Equal(session["amr"].([]any), []any{"pwd"}) || momentOf(t, session["auth_time"]) != claims["auth_time"] {
			t.Errorf("/session says %v", session)
		}

		b.pass(14 * time.Minute)
		a = wantStatus(t, v.app(t, "/refresh", "{}"), http.StatusOK)
		second := pairOf(t, a)
		b.wantAppToken(t, second.access.Value, a.json(t)["expires_at"])
		if len(a.json(t)) != 1 || second.generation(t) != first.generation(t)+1 || claimsOf(t, second.access.Value)["sid"] != claims["sid"] {
			t.Errorf("/refresh: %s, generation %d after %d", a.Body, second.generation(t), first.generation(t))
		}
		if got := v.wantApp(t, true)["expires_at"]; got != a.json(t)["expires_at"] {
			t.Errorf("/session says %v after %v", got, a.json(t))
		}

		wantCleared(t, wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent), first)
		v.wantApp(t, false)
		wantAppError(t, v.app(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
		wantCleared(t, wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent), first)
		b.wantEvent(t, storage.SessionEnded, claims["sid"])
	})
}

func wantUser(t *testing.T, got any, want map[string]any) {
	t.Helper()
	user, _ := got.(map[string]any)
	if len(user) != len(want) {
		t.Fatalf("user: got %v, want %v", got, want)
	}
	for name := range want {
		if user[name] != want[name] {
			t.Fatalf("user: got %v, want %v", got, want)
		}
	}
}

// momentOf gives the Unix seconds of an RFC 3339 time as they stand in a token.
func momentOf(t *testing.T, text any) json.Number {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text.(string))
	if err != nil {
		t.Fatal(err)
	}
	return json.Number(strconv.FormatInt(at.Unix(), 10))
}

// wantAppToken wants what an API that knows the JWKS alone goes by.
func (b *testbed) wantAppToken(t *testing.T, token string, expires any) {
	t.Helper()
	header, claims := headerOf(t, token), claimsOf(t, token)
	audience, _ := claims["aud"].([]any)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || claims["iss"] != b.Issuer || !slices.Equal(audience, []any{"shop"}) || claims["client_id"] != "shop" || claims["sub"] != b.Alice.ID {
		t.Fatalf("access token: %v %v", header, claims)
	}
	if claims["scope"] != "openid profile email" || claims["acr"] != "urn:signet:1fa" || claims["exp"] != momentOf(t, expires) {
		t.Fatalf("access token: %v, said to expire at %v", claims, expires)
	}
	jwks := do(t, direct, mustGet(t, b.Issuer+"/jwks"))
	if !strings.Contains(jwks.Body, `"`+header["kid"].(string)+`"`) {
		t.Fatalf("no published key %v: %s", header["kid"], jwks.Body)
	}
}

// wantCleared wants the cookies to be removed in the words in which they were set.
func wantCleared(t *testing.T, a answer, set pair) {
	t.Helper()
	cleared := map[string]*http.Cookie{}
	for _, c := range a.Cookies() {
		if c.Value != "" || c.MaxAge != -1 || cleared[c.Name] != nil {
			t.Fatalf("cookie %v is set, or twice removed", c)
		}
		cleared[c.Name] = c
	}
	for _, was := range []*http.Cookie{set.access, set.refresh} {
		c := cleared[was.Name]
		if c == nil || c.Path != was.Path || c.Domain != was.Domain || c.Secure != was.Secure || c.SameSite != was.SameSite || !c.HttpOnly {
			t.Fatalf("%v is removed as %v", was, c)
		}
	}
	if len(cleared) != 3 || a.Body != "" {
		t.Fatalf("removed %v, body %q", a.Cookies(), a.Body)
	}
}

// Who signs in on the page goes back to the app with its cookies, and who is signed
// in at once.
func TestFirstParty_PageSignIn(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		to := b.Issuer + "/login?" + url.Values{"return_to": {shop + "/cart?item=1#top"}}.Encode()
		page := v.get(t, to)
		for _, keep := range []string{"", "on"} {
			s := v.submit(t, page.form(t), "username", alice, "password", password, "keep", keep)
			if s.Left == nil || s.Left.String() != shop+"/cart?item=1#top" {
				t.Fatalf("at %s, left to %v:\n%s", s.At, s.Left, s.Body)
			}
			p := pairOf(t, s.answer)
			if p.access.MaxAge != 900 || (p.refresh.MaxAge > 0) != (keep != "") || p.refresh.MaxAge > 7*24*3600 || keep != "" && p.refresh.MaxAge < 7*24*3600-60 {
				t.Errorf("keep %q: access for %d s, refresh for %d s", keep, p.access.MaxAge, p.refresh.MaxAge)
			}
			v.wantApp(t, true)
		}
		b.pass(time.Minute)
		before := v.refreshApp(t)
		b.pass(time.Minute)
		s := v.get(t, to)
		if s.Left == nil || pairOf(t, s.answer).generation(t) != before.generation(t)+1 {
			t.Fatalf("with a session: at %s, left to %v", s.At, s.Left)
		}
		v.refreshApp(t)
		// A page of ours as the goal gives the cookies, too.
		w := b.visitor(t)
		w.signIn(t, w.get(t, b.Issuer+"/login?return_to=/account"), alice, password)
		if w.cookie(t, "access_token") == nil {
			t.Error("no cookies on the way to a page of ours")
		}
	})
}

// A sign-in for another client gives the app nothing until it asks; then the session
// is enough.
func TestFirstParty_SessionOfAnotherClient(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := v.arrive(t, alice)
		if v.cookie(t, "access_token") != nil {
			t.Fatal("the app has cookies that nobody asked for")
		}
		asked := b.now()
		expires, err := time.Parse(time.RFC3339, v.wantApp(t, true)["expires_at"].(string))
		if err != nil || expires.Before(asked.Truncate(time.Second)) || expires.After(b.now()) {
			t.Errorf("without a token yet, expires_at is %v (%v), want the present moment", expires, err)
		}
		p := v.refreshApp(t)
		if claimsOf(t, p.access.Value)["sid"] != claimsOf(t, tokens["id_token"])["sid"] {
			t.Error("another session than the one there is")
		}
		// Signing out in the app signs out of the other client, too.
		v.app(t, "/logout", "")
		b.wantDead(t, tokens)
		v.wantSignedOut(t)
	})
}

// How and when the person signed in is what the session says, also in a grant that is
// older than the last sign-in.
func TestFirstParty_SignsInAnew(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		first := v.signInApp(t)
		b.pass(time.Hour)
		v.arrive(t, alice)
		second := v.refreshApp(t)
		before, after := claimsOf(t, first.access.Value), claimsOf(t, second.access.Value)
		if after["gid"] != before["gid"] || after["sid"] != before["sid"] || after["auth_time"] == before["auth_time"] || after["auth_time"] != momentOf(t, v.wantApp(t, true)["auth_time"]) {
			t.Errorf("the token says %v after %v", after, before)
		}
	})
}

// A sign-out that another client has started removes the app's cookies, too.
func TestLO12_FirstPartyCookiesGoWithEndSession(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := v.arrive(t, alice)
		p := v.refreshApp(t)
		a := v.fetch(t, b.leave("id_token_hint", tokens["id_token"].(string)))
		a.Body = "" // a page
		wantCleared(t, a, p)
	})
}

// saysActive asks about a token as the testbed's client.
func (b *testbed) saysActive(t *testing.T, token string) bool {
	t.Helper()
	a := b.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {token}}.Encode()))
	return wantStatus(t, a, http.StatusOK).json(t)["active"] == true
}

// A new password ends all but this browser, whose app goes on with a grant of its
// new session.
func TestSS16_FirstPartyPasswordChange(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		old := v.signInApp(t)
		handle := v.cookie(t, "signet").Value
		v.changePassword(t, password, newPassword)
		if v.cookie(t, "access_token") != nil {
			t.Error("the token of the session that ended is still there")
		}
		v.present(old.refresh.Value)
		next := v.refreshApp(t)
		if before, after := claimsOf(t, old.access.Value), claimsOf(t, next.access.Value); before["sid"] == after["sid"] || before["gid"] == after["gid"] || next.generation(t) != 1 {
			t.Errorf("the token says %v after %v", after, before)
		}
		wantAppError(t, b.refreshAs(t, handle, old.refresh.Value), http.StatusUnauthorized, "login_required")
	})
}

func TestFirstParty_DisabledClient(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.signInApp(t)
		b.disableNamed(t, "shop", true)
		for _, path := range []string{"/session", "/refresh", "/login"} {
			wantAppError(t, v.app(t, path, map[bool]string{true: credentials}[path == "/login"]), http.StatusNotFound, "first_party_not_configured")
		}
		b.disableNamed(t, "shop", false)
		v.wantApp(t, true)
		v.refreshApp(t)
		b.disableNamed(t, "shop", true)
		wantStatus(t, v.app(t, "/logout", ""), http.StatusNoContent) // leaving is always possible
	})
}

func (b *testbed) disableNamed(t *testing.T, client string, off bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), client, !off, storage.By{At: b.now()}); err != nil {
		t.Fatal(err)
	}
	b.follow(t)
}

// One client is the app: the only first-party one, or the one that is named.
func TestFirstParty_WhichClientIsTheApp(t *testing.T) {
	for _, c := range []struct {
		named string
		there []string
		want  string // part of the description; "" for none
	}{
		{"", nil, "create one with --first-party"},
		{"", []string{"shop", "other"}, "set first_party.client_id"},
		{"shop", []string{"shop", "other"}, ""},
		{"gone", []string{"shop"}, "first_party.client_id names no enabled first-party client"},
		{"app", []string{"shop"}, "first_party.client_id names no enabled first-party client"}, // there, but not first-party
	} {
		onSQLite(t, func(t *testing.T, b *testbed) {
			for _, id := range c.there {
				b.registerWith(t, storage.SPA, id, func(c *storage.Client) {
					c.FirstParty, c.Metadata.RedirectURIs = true, []string{shop + "/"}
				})
			}
			b.follow(t)
			v := b.visitor(t)
			if c.want == "" {
				if got := claimsOf(t, v.signInApp(t).access.Value)["client_id"]; got != c.named {
					t.Errorf("the app is %v, want %s", got, c.named)
				}
				return
			}
			for _, path := range []string{"/login", "/refresh", "/session"} {
				a := v.app(t, path, map[bool]string{true: credentials}[path == "/login"])
				wantAppError(t, a, http.StatusNotFound, "first_party_not_configured")
				if !strings.Contains(a.Body, c.want) {
					t.Errorf("%s: %s lacks %q", path, a.Body, c.want)
				}
			}
			v.get(t, b.Issuer+"/login?return_to="+url.QueryEscape(shop+"/")).wantPage(t, http.StatusBadRequest, "invalid_return_to")
			// Pages of ours do without the app.
			if s := v.signIn(t, v.get(t, b.Issuer+"/login?return_to=/account"), alice, password); s.At.Path != "/account" {
				t.Errorf("at %s", s.At)
			}
		}, appAt(shop), func(config *provider.Config) { config.FirstParty.ClientID = c.named })
	}
}

func TestFirstParty_WrongPasswords(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for _, body := range []string{
			`{"username":"` + alice + `","password":"wrong wrong"}`, `{"username":"nobody@example.com","password":"` + password + `"}`,
		} {
			wantAppError(t, v.app(t, "/login", body), http.StatusUnauthorized, "invalid_credentials")
		}
		b.disableUser(t, true)
		wantAppError(t, v.app(t, "/login", credentials), http.StatusUnauthorized, "invalid_credentials")
		b.disableUser(t, false)
		for range 18 {
			v.app(t, "/login", `{"username":"`+alice+`","password":"wrong wrong"}`)
		}
		a := v.app(t, "/login", credentials)
		wantAppError(t, a, http.StatusTooManyRequests, "too_many_attempts")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		v.wantApp(t, false)
		b.pass(16 * time.Minute)
		v.signInApp(t)
	})
}

// Another person in the same browser does not find what the first one had.
func TestFirstParty_AnotherPersonFindsNothing(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		b.user(t, "bob@example.com", password)
		v := b.visitor(t)
		hers := v.signInApp(t)
		s := v.signIn(t, v.get(t, b.authorizeURL("prompt", "login")), "bob@example.com", password)
		v.allow(t, s)
		if v.cookie(t, "access_token") != nil {
			t.Error("alice's access token is still in bob's browser")
		}
		v.present(hers.refresh.Value)
		his := v.refreshApp(t)
		if sub := claimsOf(t, his.access.Value)["sub"]; sub == b.Alice.ID || his.generation(t) != 1 {
			t.Errorf("the tokens are of %v, generation %d", sub, his.generation(t))
		}
		// Through the app itself: each cookie is set once.
		a := wantStatus(t, v.app(t, "/login", credentials), http.StatusOK)
		if names := a.Cookies(); len(names) != 4 || claimsOf(t, pairOf(t, a).access.Value)["sub"] != b.Alice.ID {
			t.Errorf("cookies %v", names)
		}
	})
}

// A refresh token lives in its cookie at this path, and in no other channel.
func TestRT26_FirstPartyTokensStayInTheirChannel(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := v.arrive(t, alice)
		p := v.refreshApp(t)
		// Into the cookie: counts as absent.
		b.pass(time.Minute)
		for _, foreign := range []string{tokens["refresh_token"].(string), tokens["access_token"].(string), p.access.Value, p.refresh.Value + "x", "x", "a.b.c"} {
			v.present(foreign)
			b.pass(time.Minute)
			if next := v.refreshApp(t); next.generation(t) != p.generation(t)+1 {
				t.Errorf("with a foreign token: generation %d after %d", next.generation(t), p.generation(t))
			} else {
				p = next
			}
		}
		b.refreshed(t, tokens["refresh_token"])
		// Out of the cookie: refused at /token, whoever asks.
		app := b.as(storage.Client{ID: "shop"}, "")
		for _, at := range []*testbed{b, app} {
			at.refuseRefresh(t, p.refresh.Value, "invalid_grant")
		}
		b.wantUserinfo(t, p.access.Value, http.StatusUnauthorized) // SS-26: the issuer is no audience of it
		for _, token := range []string{p.access.Value, tokens["access_token"].(string)} {
			r := mustGet(t, b.Issuer+"/session")
			r.Header.Set("Authorization", "Bearer "+token)
			r.AddCookie(&http.Cookie{Name: "access_token", Value: token})
			if a := do(t, direct, r); a.json(t)["authenticated"] != false {
				t.Errorf("an access token says who is signed in: %s", a.Body)
			}
		}
		v.refreshApp(t)
	})
}

// A cookie that comes twice counts as absent.
func TestSS02_RT20_FirstPartyCookieTwice(t *testing.T) {
	eachApp(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		first := v.signInApp(t)
		handle := v.cookie(t, "signet").Value
		b.pass(time.Minute)
		second := v.refreshApp(t)
		b.pass(time.Minute)
		ask := func(cookies string) answer {
			r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/refresh", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Cookie", cookies)
			return do(t, direct, r)
		}
		// An old one that a sibling host has tossed is no replay.
		third := pairOf(t, wantStatus(t, ask("signet="+handle+"; refresh_token="+first.refresh.Value+"; refresh_token="+second.refresh.Value), http.StatusOK))
		if third.generation(t) != second.generation(t)+1 {
			t.Errorf("generation %d after %d", third.generation(t), second.generation(t))
		}
		wantAppError(t, ask("signet="+handle+"; signet="+handle+"; refresh_token="+third.refresh.Value), http.StatusUnauthorized, "login_required")
		wantAppError(t, ask("refresh_token="+third.refresh.Value), http.StatusUnauthorized, "login_required") // never without the session
		for _, path := range []string{"/refresh/", "/Refresh", "//refresh", "/refresh;x", "/%72efresh/"} {
			if a := v.app(t, path, ""); a.StatusCode == http.StatusOK || len(a.Cookies()) > 0 {
				t.Errorf("POST %s: %d %v", path, a.StatusCode, a.Cookies())
			}
		}
		v.present(third.refresh.Value)
		v.refreshApp(t)
	})
}
