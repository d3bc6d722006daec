package providertest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// Shop is the origin of the pages of the first-party app.
const Shop = "https://shop.example.com"

// Credentials is the JSON with alice's username and password that the app's sign-in form
// posts.
const Credentials = `{"username":"` + Alice + `","password":"` + Password + `"}`

// WithAppOrigins sets the origins of the pages of the first-party app.
func WithAppOrigins(origins ...string) Option {
	return func(c *provider.Config) { c.FirstParty.Origins = origins }
}

// RegisterApp registers the client of the first-party app.
func (b *Testbed) RegisterApp(t testing.TB) storage.Client {
	t.Helper()
	client, _ := b.RegisterWith(t, storage.SPA, "shop", func(c *storage.Client) {
		c.FirstParty, c.Metadata.RedirectURIs = true, []string{Shop + "/"}
	})
	b.Follow(t)
	return client
}

// EachApp runs the test on every database, with a first-party app.
func EachApp(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := StartOn(t, backend, append([]Option{WithAppOrigins(Shop)}, options...)...)
		b.RegisterApp(t)
		f(t, b)
	})
}

// AppOnSQLite is EachApp on SQLite only, for behavior that does not depend on the database.
func AppOnSQLite(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	t.Helper()
	OnSQLite(t, func(t *testing.T, b *Testbed) {
		b.RegisterApp(t)
		f(t, b)
	}, append([]Option{WithAppOrigins(Shop)}, options...)...)
}

// CallApp calls a first-party endpoint as a browser does from a page at the issuer's
// origin. /session is called with GET, all other paths with POST.
func (v *Visitor) CallApp(t *testing.T, path, body string, change ...func(*http.Request)) Answer {
	t.Helper()
	method := http.MethodPost
	if path == "/session" {
		method = http.MethodGet
	}
	r, err := http.NewRequest(method, v.Bed.Issuer+path, strings.NewReader(body))
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
	return Do(t, v.Client, r)
}

// WithHeader sets a header of a request; the value "" removes the header.
func WithHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
}

// WantStatus fails the test unless the answer has this status, and returns the answer.
func WantStatus(t *testing.T, a Answer, status int) Answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: got %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.Body)
	}
	return a
}

// WantAppError fails the test unless the answer is an error with this status and code, a
// description, no cookies and Cache-Control: no-store.
func WantAppError(t *testing.T, a Answer, status int, code string) {
	t.Helper()
	WantOAuthError(t, a, status, code)
	if a.JSON(t)["error_description"] == "" || len(a.Cookies()) != 0 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("error %s: cookies %v, headers %v, body %s", code, a.Cookies(), a.Header, a.Body)
	}
}

// Pair is the two token cookies of the first-party app.
type Pair struct{ Access, Refresh *http.Cookie }

// PairOf returns the two token cookies that an answer sets.
func PairOf(t *testing.T, a Answer) Pair {
	t.Helper()
	var p Pair
	for _, c := range a.Cookies() {
		switch {
		case strings.HasSuffix(c.Name, "access_token"):
			p.Access = c
		case strings.HasSuffix(c.Name, "refresh_token"):
			p.Refresh = c
		}
	}
	if p.Access == nil || p.Refresh == nil || p.Access.Value == "" || p.Refresh.Value == "" {
		t.Fatalf("%s %s (%d) does not set both token cookies, but %v", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.Cookies())
	}
	return p
}

// Generation returns the generation of the refresh token in its grant.
func (p Pair) Generation(t *testing.T) int64 { return Generation(t, p.Refresh.Value) }

// SignInApp signs alice in with the app's own form.
func (v *Visitor) SignInApp(t *testing.T) Pair {
	t.Helper()
	return PairOf(t, WantStatus(t, v.CallApp(t, "/login", Credentials), http.StatusOK))
}

// RefreshApp refreshes the app's tokens and returns the new pair.
func (v *Visitor) RefreshApp(t *testing.T) Pair {
	t.Helper()
	return PairOf(t, WantStatus(t, v.CallApp(t, "/refresh", ""), http.StatusOK))
}

// WantApp fails the test unless /session reports signedIn. It returns the answer.
func (v *Visitor) WantApp(t *testing.T, signedIn bool) map[string]any {
	t.Helper()
	got := WantStatus(t, v.CallApp(t, "/session", ""), http.StatusOK).JSON(t)
	if got["authenticated"] != signedIn || !signedIn && len(got) != 1 {
		t.Fatalf("/session answers %v, want authenticated: %v", got, signedIn)
	}
	return got
}

// ReplaceRefreshToken replaces the refresh token cookie of the browser.
func (v *Visitor) ReplaceRefreshToken(token string) {
	u, _ := url.Parse(v.Bed.Issuer)
	v.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "refresh_token", Value: token, Path: u.Path + "/refresh"}})
}

// SetClientEnabledByID enables or disables the client with this id. The provider notices
// at once.
func (b *Testbed) SetClientEnabledByID(t *testing.T, client string, enabled bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), client, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// RefreshAs refreshes the app's tokens with this session handle and refresh token instead of
// a browser's cookies. Many goroutines may call it at once.
func (b *Testbed) RefreshAs(t *testing.T, handle, refresh string) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/refresh", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", "signet="+handle+"; refresh_token="+refresh)
	return Do(t, ParallelClient, r)
}
