package provider_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// The testbed itself checks the header blocks of all answers, see providertest.HeaderBlock.
// The tests here cause the largest ones.

// noise returns a text of n characters that cannot be compressed, the same each time.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	source, text := rand.New(rand.NewPCG(7, uint64(n))), make([]byte, n)
	for i := range text {
		text[i] = letters[source.IntN(len(letters))]
	}
	return string(text)
}

// cut returns the first n bytes of a text, or all of it.
func cut(text string, n int) string { return text[:min(n, len(text))] }

// growths returns functions that make requests. Each request grows with n, by another
// parameter.
func growths(t *testing.T, b *providertest.Testbed) map[string]func(n int) url.Values {
	hint := b.Visitor(t).SignInAndRedeem(t, providertest.Alice)["id_token"].(string)
	text := noise(4000)
	by := func(pairs func(n int) []string) func(n int) url.Values {
		return func(n int) url.Values { return b.Params(pairs(n)...) }
	}
	one := func(name string, value func(n int) string) func(n int) url.Values {
		return by(func(n int) []string { return []string{name, value(n)} })
	}
	return map[string]func(n int) url.Values{
		"state":           one("state", func(n int) string { return cut(text, n) }),
		"state, same":     one("state", func(n int) string { return strings.Repeat("s", n) }),
		"state, escaped":  one("state", func(n int) string { return strings.Repeat("/:\x01é ", n/5+1) }),
		"state and nonce": by(func(n int) []string { return []string{"state", cut(text, n/2), "nonce", text[2000:][:n/2]} }),
		"nonce":           one("nonce", func(n int) string { return cut(text, n) }),
		"login_hint":      one("login_hint", func(n int) string { return cut(text, n) + "@example.com" }),
		"ui_locales":      one("ui_locales", func(n int) string { return cut(text, n) }),
		"acr_values":      one("acr_values", func(n int) string { return strings.ReplaceAll(cut(text, n), "-", " ") }),
		"unknown scopes":  one("scope", func(n int) string { return "openid email " + strings.ReplaceAll(cut(text, n), "-", " ") }),
		"unknown":         one("x", func(n int) string { return cut(text, n) }),
		"claims":          one("claims", func(n int) string { return `{"id_token":{"email":{"value":"` + cut(text, n) + `<&>"}}}` }),
		"redirect_uri":    one("redirect_uri", func(n int) string { return "https://app.example.com/" + text[:min(max(n-20, 0), 1950)/10*10] }),
		"all of them": by(func(n int) []string {
			return []string{"state", cut(text, n/3), "nonce", cut(text[1000:], n/3), "login_hint", cut(text[2000:], n/3), "max_age", "86400", "id_token_hint", hint, "scope", "openid profile email address phone roles groups offline_access", "prompt", "consent"}
		}),
		"hint and state": by(func(n int) []string { return []string{"state", cut(text, n), "id_token_hint", hint} }),
		"uri and state": by(func(n int) []string {
			return []string{"redirect_uri", "https://app.example.com/" + text[:900], "state", cut(text[1000:], n)}
		}),
		"resources": func(n int) url.Values {
			v := b.Params()
			v["resource"] = b.Client.Resources[:min(n/50, len(b.Client.Resources))]
			return v
		},
		"by fragment": by(func(n int) []string { return []string{"state", cut(text, n), "response_mode", "fragment"} }),
		"by form":     by(func(n int) []string { return []string{"state", cut(text, n), "response_mode", "form_post"} }),
		"state and claims": by(func(n int) []string {
			return []string{"state", cut(text, n), "claims", `{"userinfo":{"name":{"essential":true},"email":null,"picture":null}}`}
		}),
	}
}

// largest returns the greatest n for which the request is accepted.
func largest(t *testing.T, b *providertest.Testbed, grow func(n int) url.Values) int {
	t.Helper()
	stranger := b.Visitor(t)
	n := sort.Search(2700, func(n int) bool {
		a := stranger.Fetch(t, b.Issuer+"/authorize?"+grow(n+1).Encode())
		switch a.StatusCode {
		case http.StatusSeeOther:
			return false
		case http.StatusBadRequest:
			if !strings.Contains(a.Body, "shorten") || strings.Contains(a.Body, " PAR") || !strings.Contains(b.Log.String(), `"cause":"request_too_large"`) {
				t.Fatalf("the refusal does not say how to change the request: %s", a.Body)
			}
			return true
		}
		t.Fatalf("GET /authorize: %d %s", a.StatusCode, a.Body)
		return true
	})
	return n
}

// TestBudget_LargestRequestsPassEveryStep grows a request by each of its parameters until it
// is refused, and takes the largest accepted one through every step of a sign-in.
func TestBudget_LargestRequestsPassEveryStep(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		text := noise(4000)
		client, secret := b.RegisterWith(t, storage.Web, "large", func(c *storage.Client) {
			c.Metadata.RedirectURIs = []string{providertest.Callback, "https://app.example.com/" + text[:900]}
			for n := 0; n <= 1950; n += 10 {
				c.Metadata.RedirectURIs = append(c.Metadata.RedirectURIs, "https://app.example.com/"+text[:n])
			}
			for i := range 50 {
				c.Resources = append(c.Resources, fmt.Sprintf("https://api.example.com/%s/%d", text[40*i:][:40], i))
			}
		})
		b.Follow(t)
		b = b.AsClient(client, secret)
		for name, grow := range growths(t, b) {
			n := max(0, largest(t, b, grow)-30) // its random id compresses by some bytes, or not
			params := grow(n)
			t.Logf("%s: n = %d, %d bytes", name, n, len(params.Encode()))
			if !strings.ContainsAny(name, " ,") && name != "resources" && n < 1500 {
				t.Errorf("%s: only %d characters are accepted", name, n)
			}
			walkAll(t, b, params)
			if !params.Has("prompt") {
				walkPrompts(t, b, grow(n-min(n, 100)))
			}
		}
	}, everySetting)
}

// withEverySetting turns on the settings that add to responses or cookies.
func withEverySetting(c *provider.Config) { c.SessionManagement, c.FrontchannelLogout = true, true }

func everySetting(_ *providertest.Upstreams, c *provider.Config) { withEverySetting(c) }

// largeWalk is one large request on its way through a sign-in.
type largeWalk struct {
	*providertest.Testbed
	params url.Values
}

func (l largeWalk) url(pairs ...string) string {
	more := maps.Clone(l.params)
	for i := 0; i < len(pairs); i += 2 {
		more.Set(pairs[i], pairs[i+1])
	}
	return l.Issuer + "/authorize?" + more.Encode()
}

// redeem gives consent if the page asks for it, checks that state is unchanged, and redeems
// the code.
func (l largeWalk) redeem(t *testing.T, v *providertest.Visitor, s providertest.Stop) {
	t.Helper()
	if s.LeftTo == nil {
		s = v.Allow(t, s)
	}
	if got := s.Response(t).Get("state"); got != l.params.Get("state") {
		t.Errorf("state came back as %.50q…", got)
	}
	form := l.CodeForm(s.Code(t), "redirect_uri", l.params.Get("redirect_uri"))
	providertest.WantStatus(t, l.TokenRequest(t, form), http.StatusOK)
}

// walkAll takes one request through every way to sign in.
func walkAll(t *testing.T, b *providertest.Testbed, params url.Values) {
	t.Helper()
	l := largeWalk{b, params}
	// With a password, from a GET and from a POST; then again with the session.
	v, w := b.Visitor(t), b.Visitor(t)
	l.redeem(t, v, v.SignIn(t, v.Get(t, l.url()), providertest.Alice, providertest.Password))
	l.redeem(t, v, v.Get(t, l.url()))
	l.redeem(t, w, w.SignIn(t, w.Post(t, params), providertest.Alice, providertest.Password))
	b.Visitor(t).Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "login_required")
	if params.Has("id_token_hint") {
		return // the hint expects alice
	}
	// Through an upstream, after three presses of the button and one in another tab.
	x := b.Visitor(t)
	page := x.Get(t, l.url())
	for range 3 {
		x.PressConnector(t, page, "google")
		wantCookies(t, x, "/login")
	}
	x.PressConnector(t, x.Get(t, b.AuthorizeURL("state", "another tab")), "github")
	wantCookies(t, x, "/login")
	left := x.PressConnector(t, page, "google")
	wantCookies(t, x, "/login/google/callback")
	l.redeem(t, x, x.Get(t, x.ChooseAccount(t, left, "ada")))
	// A sign-in that the user cancels at the upstream.
	y := b.Visitor(t)
	back := y.Get(t, y.ChooseAccount(t, y.PressConnector(t, y.Get(t, l.url()), "google"), ""))
	if back.StatusCode >= http.StatusInternalServerError {
		t.Errorf("cancelled at the upstream: got %d", back.StatusCode)
	}
}

// walkPrompts takes one request through the pages of all values of prompt.
func walkPrompts(t *testing.T, b *providertest.Testbed, params url.Values) {
	t.Helper()
	l := largeWalk{b, params}
	v := b.Visitor(t)
	l.redeem(t, v, v.SignIn(t, v.Get(t, l.url()), providertest.Alice, providertest.Password))
	v.Get(t, l.url("prompt", "none")).Code(t)
	b.Visitor(t).Get(t, l.url("prompt", "none")).WantError(t, "login_required")
	choice := v.Get(t, l.url("prompt", "select_account"))
	l.redeem(t, v, v.Submit(t, choice.Form(t), "decision", "continue"))
	b.Advance(time.Minute)
	l.redeem(t, v, v.SignIn(t, v.Get(t, l.url("prompt", "login")), providertest.Alice, providertest.Password))
	l.redeem(t, v, v.Allow(t, v.Get(t, l.url("prompt", "consent"))))
	denied := v.Get(t, l.url("prompt", "consent"))
	v.Submit(t, denied.Form(t), "decision", "deny").WantError(t, "access_denied")
}

// TestBudget_RefusalsThatAreTooLongArePages: an error is sent back to the client only if
// the address is short enough for proxies.
func TestBudget_RefusalsThatAreTooLongArePages(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Visitor(t).Get(t, b.AuthorizeURL("scope", "nothing", "state", noise(2000))).WantError(t, "invalid_scope")
		for _, method := range []string{"", "none"} {
			query := b.Params("scope", "nothing", "state", "", "prompt", method).Encode() + "&state=" + strings.Repeat(":", 2000)
			v := b.Visitor(t)
			s := v.Get(t, b.Issuer+"/authorize?"+query)
			s.WantPage(t, http.StatusBadRequest, "invalid_request")
			s.WantText(t, "shorten redirect_uri, state or nonce", "response_mode=form_post")
			v.Get(t, b.Issuer+"/authorize?"+query+"&response_mode=form_post").WantError(t, "invalid_scope") // as the page advises
		}
	})
}

// TestBudget_TokensTooLongForURLArePosted: if a response with tokens is too long for a URL, the page
// advises form_post, which has no such limit.
func TestBudget_TokensTooLongForURLArePosted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client.Metadata.GrantTypes = append(b.Client.Metadata.GrantTypes, storage.GrantImplicit)
		b.Client.Metadata.ResponseTypes = storage.ResponseTypeNames()
		b.ChangeClient(t, func(*storage.Client) {})
		v := b.Visitor(t)
		v.SignInForCode(t)
		address := b.AuthorizeURL("response_type", "code id_token token", "nonce", "n", "state", "") + "&state=" + strings.Repeat(":", 1000)
		s := v.Get(t, address)
		s.WantPage(t, http.StatusBadRequest, "invalid_request")
		s.WantText(t, "response_mode=form_post")
		if got := v.Get(t, address+"&response_mode=form_post").Response(t); got.Get("access_token") == "" || got.Get("code") == "" {
			t.Errorf("form_post: %v", got)
		}
	})
}

// TestBudget_SmallRequestsLeaveRoomForThreeTabs: three requests of a usual size can be at
// upstreams at the same time.
func TestBudget_SmallRequestsLeaveRoomForThreeTabs(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		var trips []*url.URL
		for i := range 3 {
			trips = append(trips, v.PressConnector(t, v.Get(t, b.AuthorizeURL("state", noise(43+i), "nonce", noise(143 + i)[:43], "scope", "openid profile email offline_access")), "google"))
			wantCookies(t, v, "/login")
		}
		for i, trip := range trips {
			s := v.Get(t, v.ChooseAccount(t, trip, "ada"))
			if s.LeftTo == nil {
				s = v.Allow(t, s)
			}
			if got := s.Response(t).Get("state"); got != noise(43+i) {
				t.Errorf("tab %d came back with the state %s", i, got)
			}
		}
		if left := v.TripCookies(t); len(left) != 0 {
			t.Errorf("cookies of trips remain after their callbacks: %v", left)
		}
	})
}

// TestBudget_StaleCookiesOfTripsAreRemoved: a new trip removes the cookies of an older
// version, and of trips that were never finished.
func TestBudget_StaleCookiesOfTripsAreRemoved(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		v := b.Visitor(t)
		for _, name := range []string{"signet_up_AAAAAAAAAAAAAAAAAAAAAAAAAA", "signet_up_x", "signet_for_short"} {
			v.SetCookie(name, noise(1500))
		}
		v.SetCookie("signet_up_BBBBBBBBBBBBBBBBBBBBBBBBBB", "AAAAAAAA."+noise(500))
		v.SetCookie("signet_for_AAAAAAAA", noise(1500))
		v.SetCookie("signet_upstairs", "of another program")
		left := v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "google")
		wantCookies(t, v, "/login")
		if n := len(v.TripCookies(t)); n != 2 {
			t.Errorf("got %d cookies of trips, want only the two of this trip: %v", n, v.TripCookies(t))
		}
		if v.Cookie(t, "signet_upstairs") == nil {
			t.Error("a cookie of another program was removed")
		}
		v.Allow(t, v.Get(t, v.ChooseAccount(t, left, "ada"))).Code(t)
	})
}

// TestBudget_LargestSignOut uses a long state and a long address at sign-out. Each request
// ends the session. If the answer would be too long, the browser stays on a page.
func TestBudget_LargestSignOut(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		long := "https://app.example.com/" + noise(1970)
		client, secret := b.RegisterWith(t, storage.Web, "leaving", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = []string{providertest.Callback}, []string{long, "https://app.example.com/bye"}
		})
		b = b.AsClient(client, secret)
		for _, c := range []struct {
			to, state string
			leads     bool
		}{
			{"https://app.example.com/bye", noise(1500), true}, {"https://app.example.com/bye", strings.Repeat("é", 500), true}, {long, "x", true}, {"https://app.example.com/bye", noise(4000), false}, {long, noise(1200), false},
		} {
			for _, hinted := range []bool{true, false} {
				v := b.Visitor(t)
				tokens := v.SignInAndRedeem(t, providertest.Alice)
				params := url.Values{"post_logout_redirect_uri": {c.to}, "state": {c.state}, "client_id": {client.ID}}
				if hinted {
					params.Set("id_token_hint", tokens["id_token"].(string))
				}
				s := v.Get(t, b.Issuer+"/end_session?"+params.Encode())
				if !hinted {
					s = v.Submit(t, s.Form(t), "decision", "allow")
				}
				if got := s.LeftTo != nil; got != c.leads {
					t.Errorf("to %.40s with a state of %d characters, hint %v: left to %v", c.to, len(c.state), hinted, s.LeftTo)
				}
				if s.LeftTo != nil && s.LeftTo.Query().Get("state") != c.state {
					t.Errorf("state came back as %.40s", s.LeftTo.Query().Get("state"))
				}
				v.WantNoSession(t)
				r, _ := http.NewRequest(http.MethodPost, b.Issuer+"/end_session", strings.NewReader(params.Encode()))
				r.Header.Set("Content-Type", providertest.FormType)
				v.Walk(t, r)
			}
		}
	}, withEverySetting)
}

// TestBudget_LargestAccessToken grows a token until it is refused. The largest accepted one
// passes by JSON, by the page and by refresh, together with the largest other cookies.
func TestBudget_LargestAccessToken(t *testing.T) {
	_, upstream := providertest.WithUpstreams(t)
	b := providertest.StartOn(t, storagetest.SQLite(t), providertest.WithIssuerPath("/auth"), providertest.WithAppOrigins(providertest.Shop), upstream, func(c *provider.Config) {
		c.CookieName = "signet"
	})
	shop := b.RegisterApp(t)
	shop.Metadata.Scope = "openid profile email roles groups"
	if err := storagetest.ReplaceClient(t.Context(), b.DB, shop, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
	to := providertest.Shop + "/" + noise(768-len(providertest.Shop)-1)
	fits := func(n int) bool {
		email := fmt.Sprintf("in%d@example.com", n)
		memberOf(t, b, email, noise(n))
		v := b.Visitor(t)
		// The trips to upstreams come first, so that their cookies are present too.
		for range 3 {
			v.PressConnector(t, v.Get(t, b.AuthorizeURL("state", noise(1000))), "google")
		}
		a := v.CallApp(t, "/login", strings.Replace(providertest.Credentials, providertest.Alice, email, 1))
		if a.StatusCode != http.StatusOK {
			providertest.WantOAuthError(t, a, http.StatusInternalServerError, "token_too_large")
			v.Get(t, b.Issuer+"/login?"+url.Values{"return_to": {to}}.Encode()).WantPage(t, http.StatusInternalServerError, "token_too_large")
			return false
		}
		wantCookies(t, v, "/refresh")
		b.Advance(time.Minute)
		providertest.WantStatus(t, v.CallApp(t, "/refresh", "{}"), http.StatusOK)
		b.Advance(time.Minute)
		if s := v.Get(t, b.Issuer+"/login?"+url.Values{"return_to": {to}}.Encode()); s.LeftTo == nil || s.LeftTo.String() != to {
			t.Fatalf("at %s, left to %v", s.At, s.LeftTo)
		}
		w := b.Visitor(t)
		page := w.Get(t, b.Issuer+"/login?"+url.Values{"return_to": {to}}.Encode())
		if s := w.SignIn(t, page, email, providertest.Password); s.LeftTo == nil || s.LeftTo.String() != to {
			t.Fatalf("at %s, left to %v", s.At, s.LeftTo)
		}
		w.SignIn(t, page, email, providertest.Password) // replaces the cookies of the app
		w.CallApp(t, "/logout", "")
		return true
	}
	n := sort.Search(2000, func(n int) bool { return !fits(n + 1) })
	if t.Logf("groups of %d characters", n); n < 800 || n > 2000-1 {
		t.Errorf("the largest token has groups of %d characters, want 800 to 1998", n)
	}
	longer := b.Issuer + "/login?" + url.Values{"return_to": {to + "x"}}.Encode()
	b.Visitor(t).Get(t, longer).WantPage(t, http.StatusBadRequest, "invalid_return_to")
}

// memberOf creates a user that is in one group.
func memberOf(t *testing.T, b *providertest.Testbed, email, group string) {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: providertest.CheapHash}).Hash(t.Context(), providertest.Password, storage.User{Email: email})
	if err != nil {
		t.Fatal(err)
	}
	user := storage.User{Email: email, EmailVerified: true, Groups: []string{group}}
	if _, err := b.DB.CreateUser(t.Context(), user, hash, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
