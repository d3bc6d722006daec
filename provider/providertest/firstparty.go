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

// Shop is where the pages of the first-party app live.
const Shop = "https://shop.example.com"

// Credentials are alice's, as the app's sign-in form posts them.
const Credentials = `{"username":"` + Alice + `","password":"` + Password + `"}`

// WithAppOrigins says where the app's pages live.
func WithAppOrigins(origins ...string) Option {
	return func(c *provider.Config) { c.FirstParty.Origins = origins }
}

// RegisterApp registers the first-party app.
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

// AppOnSQLite is EachApp for what no database can change.
func AppOnSQLite(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	t.Helper()
	OnSQLite(t, func(t *testing.T, b *Testbed) {
		b.RegisterApp(t)
		f(t, b)
	}, append([]Option{WithAppOrigins(Shop)}, options...)...)
}

// CallApp is a call of the app's pages, which lie at the issuer's origin, as a browser
// makes it.
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

// WithHeader sets a header of a call; "" removes it.
func WithHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
}

// WantStatus wants this status and gives the answer back.
func WantStatus(t *testing.T, a Answer, status int) Answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: got %d, want %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.Body)
	}
	return a
}

// WantAppError wants an error of this status and code, which changes no cookie.
func WantAppError(t *testing.T, a Answer, status int, code string) {
	t.Helper()
	WantOAuthError(t, a, status, code)
	if a.JSON(t)["error_description"] == "" || len(a.Cookies()) != 0 || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("error %s: cookies %v, headers %v, body %s", code, a.Cookies(), a.Header, a.Body)
	}
}

// Pair is the app's two cookies as an answer sets them.
type Pair struct{ Access, Refresh *http.Cookie }

// PairOf finds both cookies among those that an answer sets.
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
		t.Fatalf("%s %s (%d) sets no pair of tokens but %v", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.Cookies())
	}
	return p
}

// Generation is which of its grant's the refresh token is.
func (p Pair) Generation(t *testing.T) int64 { return Generation(t, p.Refresh.Value) }

// SignInApp signs in by the app's own form.
func (v *Visitor) SignInApp(t *testing.T) Pair {
	t.Helper()
	return PairOf(t, WantStatus(t, v.CallApp(t, "/login", Credentials), http.StatusOK))
}

// RefreshApp refreshes the app's tokens and wants a new pair.
func (v *Visitor) RefreshApp(t *testing.T) Pair {
	t.Helper()
	return PairOf(t, WantStatus(t, v.CallApp(t, "/refresh", ""), http.StatusOK))
}

// WantApp wants the app to hear whether somebody is signed in.
func (v *Visitor) WantApp(t *testing.T, signedIn bool) map[string]any {
	t.Helper()
	got := WantStatus(t, v.CallApp(t, "/session", ""), http.StatusOK).JSON(t)
	if got["authenticated"] != signedIn || !signedIn && len(got) != 1 {
		t.Fatalf("/session says %v, want authenticated: %v", got, signedIn)
	}
	return got
}

// ReplaceRefreshToken replaces the browser's refresh token.
func (v *Visitor) ReplaceRefreshToken(token string) {
	u, _ := url.Parse(v.Bed.Issuer)
	v.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "refresh_token", Value: token, Path: u.Path + "/refresh"}})
}

// SetClientEnabledByID disables the client of this id, or enables it again.
func (b *Testbed) SetClientEnabledByID(t *testing.T, client string, enabled bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), client, enabled, storage.By{At: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.Follow(t)
}

// RefreshAs asks a node for a refresh with these cookies, as one of a crowd.
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
