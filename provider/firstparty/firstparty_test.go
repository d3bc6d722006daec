package firstparty_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

func TestFirstParty_SignInRefreshSignOut(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.WantApp(t, false)
		a := providertest.WantStatus(t, v.CallApp(t, "/login", providertest.Credentials), http.StatusOK)
		answered := a.JSON(t)
		user, _ := answered["user"].(map[string]any)
		if user["sub"] != b.Alice.ID || user["email"] != providertest.Alice || user["name"] != "Alice Liddell" {
			t.Errorf("/login returns %v", user)
		}
		first := providertest.PairOf(t, a)
		wantAppToken(t, b, first.Access.Value, answered["expires_at"])

		session := v.WantApp(t, true)
		wantUser(t, session["user"], user)
		claims := providertest.ClaimsOf(t, first.Access.Value)
		if session["expires_at"] != answered["expires_at"] || !slices.Equal(session["amr"].([]any), []any{"pwd"}) || momentOf(t, session["auth_time"]) != claims["auth_time"] {
			t.Errorf("/session returns %v", session)
		}

		b.Advance(14 * time.Minute)
		a = providertest.WantStatus(t, v.CallApp(t, "/refresh", "{}"), http.StatusOK)
		second := providertest.PairOf(t, a)
		wantAppToken(t, b, second.Access.Value, a.JSON(t)["expires_at"])
		if len(a.JSON(t)) != 1 || second.Generation(t) != first.Generation(t)+1 || providertest.ClaimsOf(t, second.Access.Value)["sid"] != claims["sid"] {
			t.Errorf("/refresh: %s, generation %d after %d", a.Body, second.Generation(t), first.Generation(t))
		}
		if got := v.WantApp(t, true)["expires_at"]; got != a.JSON(t)["expires_at"] {
			t.Errorf("/session returns %v after %v", got, a.JSON(t))
		}

		wantCleared(t, providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent), first)
		v.WantApp(t, false)
		providertest.WantAppError(t, v.CallApp(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
		wantCleared(t, providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent), first)
		b.WantEvent(t, storage.SessionEnded, claims["sid"])
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

// momentOf returns an RFC 3339 time as Unix seconds, the form of times in tokens.
func momentOf(t *testing.T, text any) json.Number {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text.(string))
	if err != nil {
		t.Fatal(err)
	}
	return json.Number(strconv.FormatInt(at.Unix(), 10))
}

// wantAppToken checks the token as an API does: by its header, its claims and the JWKS.
func wantAppToken(t *testing.T, b *providertest.Testbed, token string, expires any) {
	t.Helper()
	header, claims := providertest.HeaderOf(t, token), providertest.ClaimsOf(t, token)
	audience, _ := claims["aud"].([]any)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || claims["iss"] != b.Issuer || !slices.Equal(audience, []any{"shop"}) || claims["client_id"] != "shop" || claims["sub"] != b.Alice.ID {
		t.Fatalf("access token: %v %v", header, claims)
	}
	if claims["scope"] != "openid profile email" || claims["acr"] != "urn:signet:1fa" || claims["exp"] != momentOf(t, expires) {
		t.Fatalf("access token: %v, but expires_at is %v", claims, expires)
	}
	jwks := providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.Issuer+"/jwks"))
	if !strings.Contains(jwks.Body, `"`+header["kid"].(string)+`"`) {
		t.Fatalf("no published key %v: %s", header["kid"], jwks.Body)
	}
}

// wantCleared checks that the cookies are removed with the attributes with which they were
// set.
func wantCleared(t *testing.T, a providertest.Answer, set providertest.Pair) {
	t.Helper()
	cleared := map[string]*http.Cookie{}
	for _, c := range a.Cookies() {
		if c.Value != "" || c.MaxAge != -1 || cleared[c.Name] != nil {
			t.Fatalf("cookie %v is set, or is removed twice", c)
		}
		cleared[c.Name] = c
	}
	for _, was := range []*http.Cookie{set.Access, set.Refresh} {
		c := cleared[was.Name]
		if c == nil || c.Path != was.Path || c.Domain != was.Domain || c.Secure != was.Secure || c.SameSite != was.SameSite || !c.HttpOnly {
			t.Fatalf("%v is removed as %v", was, c)
		}
	}
	if len(cleared) != 3 || a.Body != "" {
		t.Fatalf("removed %v, body %q", a.Cookies(), a.Body)
	}
}

// A sign-in on the page leads back to the app with its cookies. If the person is signed in
// already, the page leads back at once.
func TestFirstParty_PageSignIn(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		to := b.Issuer + "/login?" + url.Values{"return_to": {providertest.Shop + "/cart?item=1#top"}}.Encode()
		page := v.Get(t, to)
		for _, keep := range []string{"", "on"} {
			s := v.Submit(t, page.Form(t), "username", providertest.Alice, "password", providertest.Password, "keep", keep)
			if s.LeftTo == nil || s.LeftTo.String() != providertest.Shop+"/cart?item=1#top" {
				t.Fatalf("at %s, redirected to %v:\n%s", s.At, s.LeftTo, s.Body)
			}
			p := providertest.PairOf(t, s.Answer)
			if p.Access.MaxAge != 900 || (p.Refresh.MaxAge > 0) != (keep != "") || p.Refresh.MaxAge > 7*24*3600 || keep != "" && p.Refresh.MaxAge < 7*24*3600-60 {
				t.Errorf("keep %q: access for %d s, refresh for %d s", keep, p.Access.MaxAge, p.Refresh.MaxAge)
			}
			v.WantApp(t, true)
		}
		b.Advance(time.Minute)
		before := v.RefreshApp(t)
		b.Advance(time.Minute)
		s := v.Get(t, to)
		if s.LeftTo == nil || providertest.PairOf(t, s.Answer).Generation(t) != before.Generation(t)+1 {
			t.Fatalf("with a session: at %s, redirected to %v", s.At, s.LeftTo)
		}
		v.RefreshApp(t)
		// The cookies are set also if return_to is a page of Signet.
		w := b.Visitor(t)
		w.SignIn(t, w.Get(t, b.Issuer+"/login?return_to=/account"), providertest.Alice, providertest.Password)
		if w.Cookie(t, "access_token") == nil {
			t.Error("no cookies after a sign-in that leads to a page of Signet")
		}
	})
}

// A sign-in for another client sets no cookies of the app. The app gets them with its first
// /refresh, for which the session is enough.
func TestFirstParty_SessionOfAnotherClient(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		if v.Cookie(t, "access_token") != nil {
			t.Fatal("a sign-in for another client has set the app's cookies")
		}
		asked := b.Now()
		expires, err := time.Parse(time.RFC3339, v.WantApp(t, true)["expires_at"].(string))
		if err != nil || expires.Before(asked.Truncate(time.Second)) || expires.After(b.Now()) {
			t.Errorf("without a token yet, expires_at is %v (%v), want the current time", expires, err)
		}
		p := v.RefreshApp(t)
		if providertest.ClaimsOf(t, p.Access.Value)["sid"] != providertest.ClaimsOf(t, tokens["id_token"])["sid"] {
			t.Error("the app's token belongs to another session")
		}
		// Signing out in the app signs out of the other client, too.
		v.CallApp(t, "/logout", "")
		b.WantRevoked(t, tokens)
		v.WantSignedOut(t)
	})
}

// The token has auth_time of the last sign-in, also if its grant is older.
func TestFirstParty_NewSignInChangesAuthTime(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := v.SignInApp(t)
		b.Advance(time.Hour)
		v.SignInAndRedeem(t, providertest.Alice)
		second := v.RefreshApp(t)
		before, after := providertest.ClaimsOf(t, first.Access.Value), providertest.ClaimsOf(t, second.Access.Value)
		if after["gid"] != before["gid"] || after["sid"] != before["sid"] || after["auth_time"] == before["auth_time"] || after["auth_time"] != momentOf(t, v.WantApp(t, true)["auth_time"]) {
			t.Errorf("the claims are %v after %v", after, before)
		}
	})
}

// A sign-out that another client has started removes the app's cookies too.
// LO-12: A deletion with another path or other attributes would leave the cookie.
func TestFirstParty_EndSessionRemovesCookies(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		p := v.RefreshApp(t)
		a := v.Fetch(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
		a.Body = "" // a page
		wantCleared(t, a, p)
	})
}

// A new password ends all sessions. This browser gets a new session, and its app a new
// grant.
// SS-16: A changed password ends the other sessions.
func TestFirstParty_PasswordChangeOpensNewGrant(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		old := v.SignInApp(t)
		handle := v.Cookie(t, "signet").Value
		v.ChangePassword(t, providertest.Password, providertest.NewPassword)
		if v.Cookie(t, "access_token") != nil {
			t.Error("the browser still has the token of the ended session")
		}
		v.ReplaceRefreshToken(old.Refresh.Value)
		next := v.RefreshApp(t)
		if before, after := providertest.ClaimsOf(t, old.Access.Value), providertest.ClaimsOf(t, next.Access.Value); before["sid"] == after["sid"] || before["gid"] == after["gid"] || next.Generation(t) != 1 {
			t.Errorf("the claims are %v after %v", after, before)
		}
		providertest.WantAppError(t, b.RefreshAs(t, handle, old.Refresh.Value), http.StatusUnauthorized, "login_required")
	})
}

func TestFirstParty_DisabledClient(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInApp(t)
		b.SetClientEnabledByID(t, "shop", false)
		for _, path := range []string{"/session", "/refresh", "/login"} {
			providertest.WantAppError(t, v.CallApp(t, path, map[bool]string{true: providertest.Credentials}[path == "/login"]), http.StatusNotFound, "first_party_not_configured")
		}
		b.SetClientEnabledByID(t, "shop", true)
		v.WantApp(t, true)
		v.RefreshApp(t)
		b.SetClientEnabledByID(t, "shop", false)
		providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent) // signing out is always possible
	})
}

// The app is the client that first_party.client_id names, or else the only first-party client.
func TestFirstParty_WhichClientIsTheApp(t *testing.T) {
	for _, c := range []struct {
		named string
		there []string
		want  string // part of error_description; "" for no error
	}{
		{"", nil, "create one with --first-party"},
		{"", []string{"shop", "other"}, "set first_party.client_id"},
		{"shop", []string{"shop", "other"}, ""},
		{"gone", []string{"shop"}, "first_party.client_id names no enabled first-party client"},
		{"app", []string{"shop"}, "first_party.client_id names no enabled first-party client"}, // a client with this id exists, but it is not first-party
	} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			for _, id := range c.there {
				b.RegisterWith(t, storage.SPA, id, func(c *storage.Client) {
					c.FirstParty, c.Metadata.RedirectURIs = true, []string{providertest.Shop + "/"}
				})
			}
			b.Follow(t)
			v := b.Visitor(t)
			if c.want == "" {
				if got := providertest.ClaimsOf(t, v.SignInApp(t).Access.Value)["client_id"]; got != c.named {
					t.Errorf("the app is %v, want %s", got, c.named)
				}
				return
			}
			for _, path := range []string{"/login", "/refresh", "/session"} {
				a := v.CallApp(t, path, map[bool]string{true: providertest.Credentials}[path == "/login"])
				providertest.WantAppError(t, a, http.StatusNotFound, "first_party_not_configured")
				if !strings.Contains(a.Body, c.want) {
					t.Errorf("%s: %s lacks %q", path, a.Body, c.want)
				}
			}
			v.Get(t, b.Issuer+"/login?return_to="+url.QueryEscape(providertest.Shop+"/")).WantPage(t, http.StatusBadRequest, "invalid_return_to")
			// The pages of Signet work without an app.
			if s := v.SignIn(t, v.Get(t, b.Issuer+"/login?return_to=/account"), providertest.Alice, providertest.Password); s.At.Path != "/account" {
				t.Errorf("at %s", s.At)
			}
		}, providertest.WithAppOrigins(providertest.Shop), func(config *provider.Config) { config.FirstParty.ClientID = c.named })
	}
}

func TestFirstParty_WrongPasswords(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for _, body := range []string{
			`{"username":"` + providertest.Alice + `","password":"wrong wrong"}`, `{"username":"nobody@example.com","password":"` + providertest.Password + `"}`,
		} {
			providertest.WantAppError(t, v.CallApp(t, "/login", body), http.StatusUnauthorized, "invalid_credentials")
		}
		b.SetAliceEnabled(t, false)
		providertest.WantAppError(t, v.CallApp(t, "/login", providertest.Credentials), http.StatusUnauthorized, "invalid_credentials")
		b.SetAliceEnabled(t, true)
		for range 18 {
			v.CallApp(t, "/login", `{"username":"`+providertest.Alice+`","password":"wrong wrong"}`)
		}
		a := v.CallApp(t, "/login", providertest.Credentials)
		providertest.WantAppError(t, a, http.StatusTooManyRequests, "too_many_attempts")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		v.WantApp(t, false)
		b.Advance(16 * time.Minute)
		v.SignInApp(t)
	})
}

// A second person in the same browser gets a new grant and none of the first person's
// tokens.
func TestFirstParty_SecondPersonGetsNewGrant(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		v := b.Visitor(t)
		hers := v.SignInApp(t)
		s := v.SignIn(t, v.Get(t, b.AuthorizeURL("prompt", "login")), "bob@example.com", providertest.Password)
		v.Allow(t, s)
		if v.Cookie(t, "access_token") != nil {
			t.Error("alice's access token is still in bob's browser")
		}
		v.ReplaceRefreshToken(hers.Refresh.Value)
		his := v.RefreshApp(t)
		if sub := providertest.ClaimsOf(t, his.Access.Value)["sub"]; sub == b.Alice.ID || his.Generation(t) != 1 {
			t.Errorf("the tokens belong to %v, generation %d", sub, his.Generation(t))
		}
		// The same through /login of the app: each cookie is set once.
		a := providertest.WantStatus(t, v.CallApp(t, "/login", providertest.Credentials), http.StatusOK)
		if names := a.Cookies(); len(names) != 4 || providertest.ClaimsOf(t, providertest.PairOf(t, a).Access.Value)["sub"] != b.Alice.ID {
			t.Errorf("cookies %v", names)
		}
	})
}

// The app's refresh token works only in its cookie at /refresh, and no other token works
// there.
// RT-26: Refresh tokens of other clients do not work in the first-party cookie, nor the reverse.
func TestFirstParty_RefreshTokenWorksInItsCookieOnly(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := v.SignInAndRedeem(t, providertest.Alice)
		p := v.RefreshApp(t)
		// Another token in the cookie counts as absent.
		b.Advance(time.Minute)
		for _, foreign := range []string{tokens["refresh_token"].(string), tokens["access_token"].(string), p.Access.Value, p.Refresh.Value + "x", "x", "a.b.c"} {
			v.ReplaceRefreshToken(foreign)
			b.Advance(time.Minute)
			if next := v.RefreshApp(t); next.Generation(t) != p.Generation(t)+1 {
				t.Errorf("with a foreign token: generation %d after %d", next.Generation(t), p.Generation(t))
			} else {
				p = next
			}
		}
		b.MustRefresh(t, tokens["refresh_token"])
		// The app's refresh token is refused at /token, for each client.
		app := b.AsClient(storage.Client{ID: "shop"}, "")
		for _, at := range []*providertest.Testbed{b, app} {
			at.RefuseRefresh(t, p.Refresh.Value, "invalid_grant")
		}
		b.WantUserinfo(t, p.Access.Value, http.StatusUnauthorized) // SS-26: the token's audience is not the issuer
		for _, token := range []string{p.Access.Value, tokens["access_token"].(string)} {
			r := providertest.NewGetRequest(t, b.Issuer+"/session")
			r.Header.Set("Authorization", "Bearer "+token)
			r.AddCookie(&http.Cookie{Name: "access_token", Value: token})
			if a := providertest.Do(t, providertest.Direct, r); a.JSON(t)["authenticated"] != false {
				t.Errorf("/session accepts an access token without a session: %s", a.Body)
			}
		}
		v.RefreshApp(t)
	})
}

// A cookie that occurs twice counts as absent.
// SS-02: A sibling subdomain plants a cookie of the same name, with Domain and a longer path, so that it comes first.
// RT-20: /refresh has one path: /refresh/, //refresh and /Refresh get no tokens. Two refresh_token cookies count as none.
func TestFirstParty_RepeatedCookieCountsAsAbsent(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		first := v.SignInApp(t)
		handle := v.Cookie(t, "signet").Value
		b.Advance(time.Minute)
		second := v.RefreshApp(t)
		b.Advance(time.Minute)
		ask := func(cookies string) providertest.Answer {
			r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/refresh", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Cookie", cookies)
			return providertest.Do(t, providertest.Direct, r)
		}
		// An old refresh token that a sibling host has planted does not count as a replay.
		third := providertest.PairOf(t, providertest.WantStatus(t, ask("signet="+handle+"; refresh_token="+first.Refresh.Value+"; refresh_token="+second.Refresh.Value), http.StatusOK))
		if third.Generation(t) != second.Generation(t)+1 {
			t.Errorf("generation %d after %d", third.Generation(t), second.Generation(t))
		}
		providertest.WantAppError(t, ask("signet="+handle+"; signet="+handle+"; refresh_token="+third.Refresh.Value), http.StatusUnauthorized, "login_required")
		providertest.WantAppError(t, ask("refresh_token="+third.Refresh.Value), http.StatusUnauthorized, "login_required") // never without the session
		for _, path := range []string{"/refresh/", "/Refresh", "//refresh", "/refresh;x", "/%72efresh/"} {
			if a := v.CallApp(t, path, ""); a.StatusCode == http.StatusOK || len(a.Cookies()) > 0 {
				t.Errorf("POST %s: %d %v", path, a.StatusCode, a.Cookies())
			}
		}
		v.ReplaceRefreshToken(third.Refresh.Value)
		v.RefreshApp(t)
	})
}

// Each renewal uses the scopes for which the client is registered now. A client that is no
// longer first-party gets no renewal.
func TestRights_FirstPartyRenewalIsNarrowed(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		client, err := b.DB.Client(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(client, "")
		v := b.Visitor(t)
		v.SignInApp(t)
		for _, scope := range []string{"openid email", "openid", "openid profile offline_access"} {
			app.ChangeClient(t, func(c *storage.Client) { c.Metadata.Scope = scope })
			for range 2 { // within the grace and after it
				p := v.RefreshApp(t)
				if got := providertest.ClaimsOf(t, p.Access.Value)["scope"]; got != strings.TrimSuffix(scope, " offline_access") {
					t.Errorf("registered for %q: got %v", scope, got)
				}
				b.Advance(time.Minute)
			}
		}
		access := v.RefreshApp(t).Access.Value
		app.ChangeClient(t, func(c *storage.Client) { c.FirstParty = false })
		providertest.WantAppError(t, v.CallApp(t, "/refresh", ""), http.StatusNotFound, "first_party_not_configured")
		b.AsClient(b.Client, b.Secret).ChangeClient(t, func(c *storage.Client) { c.Introspects = true })
		b.WantInactive(t, "access token of a client that is no longer first-party", access)
	})
}

// A tab that refreshes forever is signed out at the absolute limit of the session.
// SS-15: A session ends by its idle and its absolute limit, also if an open tab refreshes tokens forever.
func TestSession_OpenTabOfTheAppEndsWithTheSession(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInApp(t)
		for range 15 {
			b.Advance(3 * time.Hour)
			v.RefreshApp(t)
		}
		b.Advance(3*time.Hour - time.Minute)
		v.RefreshApp(t)
		b.Advance(2 * time.Minute)
		providertest.WantAppError(t, v.CallApp(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
		v.WantApp(t, false)

		idle := b.Visitor(t)
		idle.SignInApp(t)
		b.Advance(4 * time.Hour)
		idle.WantApp(t, true)
		b.Advance(2 * time.Minute)
		providertest.WantAppError(t, idle.CallApp(t, "/refresh", ""), http.StatusUnauthorized, "login_required")
	}, func(c *provider.Config) {
		c.Lifetimes.SessionMax, c.Lifetimes.SessionKept = 48*time.Hour, 4*time.Hour+time.Minute
	})
}
