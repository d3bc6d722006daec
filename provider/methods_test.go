package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage/storagetest"
)

// TestMethods_WrongMethodIsRefused calls every route with every method. A method that the
// path does not serve gives 405 with Allow, as a page for people and as JSON for programs.
func TestMethods_WrongMethodIsRefused(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v := b.Visitor(t)
			v.SignInAndRedeem(t, providertest.Alice)
			for _, r := range providertest.RouteTable(t) {
				for _, method := range providertest.Methods {
					ask, err := http.NewRequest(method, b.Issuer+r.Path, nil)
					if err != nil {
						t.Fatal(err)
					}
					a := providertest.Do(t, v.Client, ask)
					refused := a.StatusCode == http.StatusMethodNotAllowed
					if r.Path == "/login/connector/callback" && method == http.MethodPost {
						continue // depends on the connector, see TestAttempt_CallbackByPOST
					}
					if refused == slices.Contains(r.Methods, method) {
						t.Errorf("%s %s: got %d; the path serves %v", method, r.Path, a.StatusCode, r.Methods)
					}
					if refused {
						wantWrongMethod(t, a, *r)
					}
				}
			}
			v.WantSignedIn(t)
		}, providertest.WithIssuerPath(path), providertest.WithLocalhost)
	}
}

// wantWrongMethod checks a 405 answer.
func wantWrongMethod(t *testing.T, a providertest.Answer, r providertest.Route) {
	t.Helper()
	allow := strings.Split(a.Header.Get("Allow"), ", ")
	slices.Sort(allow)
	if want := slices.Sorted(slices.Values(r.Methods)); !slices.Equal(allow, want) {
		t.Errorf("%s %s: Allow %q, want %q", a.Request.Method, r.Path, allow, want)
	}
	if len(a.Cookies()) != 0 {
		t.Errorf("%s %s: cookies %v", a.Request.Method, r.Path, a.Cookies())
	}
	kind, code := "application/json", "invalid_request"
	if r.API {
		kind, code = "application/problem+json", "method_not_allowed"
	}
	if r.Page {
		kind, code = "text/html; charset=utf-8", "method_not_allowed"
	}
	if a.Header.Get("Content-Type") != kind || a.Request.Method != http.MethodHead && !strings.Contains(a.Body, code) {
		t.Errorf("%s %s: want %s with %s, got %s:\n%s", a.Request.Method, r.Path, kind, code, a.Header.Get("Content-Type"), a.Body)
	}
}

// TestHead_AnswersLikeGet: HEAD gives the status and headers of GET, and neither a body nor
// cookies.
func TestHead_AnswersLikeGet(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInAndRedeem(t, providertest.Alice)
		for _, r := range providertest.RouteTable(t) {
			if !slices.Contains(r.Methods, http.MethodHead) {
				continue
			}
			by := func(method string) providertest.Answer {
				ask, err := http.NewRequest(method, b.Issuer+r.Path, nil)
				if err != nil {
					t.Fatal(err)
				}
				return providertest.Do(t, v.Client, ask)
			}
			get, head := by(http.MethodGet), by(http.MethodHead)
			if head.StatusCode != get.StatusCode || head.Body != "" || len(head.Cookies()) != 0 {
				t.Errorf("%s: HEAD %d, GET %d, cookies %v, body %q", r.Path, head.StatusCode, get.StatusCode, head.Cookies(), head.Body)
			}
			for _, name := range []string{"Content-Type", "Content-Security-Policy", "Cache-Control", "Etag", "Referrer-Policy", "Access-Control-Allow-Origin", "Www-Authenticate"} {
				if head.Header.Get(name) != get.Header.Get(name) {
					t.Errorf("%s: %s is %q by HEAD, %q by GET", r.Path, name, head.Header.Get(name), get.Header.Get(name))
				}
			}
		}
	})
}

// otherMethod sends every request with another method.
type otherMethod struct{ method string }

func (o otherMethod) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Method = o.method
	return providertest.Proxy{}.RoundTrip(r)
}

// withMethod sends an act with another method than its own.
func (s *scene) withMethod(method string, send func() providertest.Answer) providertest.Answer {
	defer func(before http.RoundTripper) { providertest.Direct.Transport = before }(providertest.Direct.Transport)
	defer func(before http.RoundTripper) { s.browser.Client.Transport = before }(s.browser.Client.Transport)
	providertest.Direct.Transport, s.browser.Client.Transport = otherMethod{method}, otherMethod{method}
	return send()
}

// actsByGET are further acts, all with GET.
var actsByGET = []act{
	{name: "sign-out by a hint", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		hint := s.tokens(t)["id_token"].(string)
		return s.gets(t, "/end_session?"+url.Values{"id_token_hint": {hint}}.Encode())
	}},
	{name: "sign-in page of our own", ready: func(t *testing.T, s *scene) func() providertest.Answer { s.signIn(t); return s.gets(t, "/login") }},
	{name: "page with a broken cookie", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		s.signIn(t)
		s.browser.SetCookie("signet", "broken")
		return s.gets(t, "/account")
	}},
	{name: "connector denied", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		back := s.browser.ChooseAccount(t, s.browser.PressConnector(t, s.browser.Get(t, s.AuthorizeURL()), "google"), "")
		return s.gets(t, strings.TrimPrefix(back, s.Issuer))
	}},
	{name: "start of the trip to a connector", ready: func(t *testing.T, s *scene) func() providertest.Answer {
		f := s.browser.Get(t, s.AuthorizeURL()).FormTo(t, "/login/google", "", "")
		on := providertest.Do(t, s.browser.Client, s.browser.FormRequest(t, f))
		return s.gets(t, strings.TrimPrefix(on.Header.Get("Refresh"), "0;url="))
	}},
	{name: "keys", ready: func(t *testing.T, s *scene) func() providertest.Answer { return s.gets(t, "/jwks") }},
}

// TestHead_ChangesNothing sends each act with HEAD, from a browser in which everything is
// ready for the act. No row changes, no cookie is set, and the act still works afterwards.
func TestHead_ChangesNothing(t *testing.T) {
	s := newScene(t, storagetest.SQLite(t), nil)
	for _, a := range append(allActs(t), actsByGET...) {
		t.Run(a.name, func(t *testing.T) {
			s.newUser(t)
			send := a.ready(t, s)
			s.Drain()
			if err := s.NoteReadersOnce(t.Context(), s.Now()); err != nil {
				t.Fatal(err)
			}
			before, calls := s.DumpTables(t), len(s.upstream.Google.Requests())
			got := s.withMethod(http.MethodHead, send)
			s.Drain()
			if err := s.NoteReadersOnce(t.Context(), s.Now()); err != nil {
				t.Fatal(err)
			}
			if len(got.Header.Values("Set-Cookie")) != 0 || got.Body != "" || got.StatusCode >= 500 {
				t.Errorf("HEAD %s: got %d, cookies %q, body %q", got.Request.URL.Path, got.StatusCode, got.Header.Values("Set-Cookie"), got.Body)
			}
			if len(s.upstream.Google.Requests()) != calls {
				t.Errorf("HEAD %s calls the upstream", got.Request.URL.Path)
			}
			for name, rows := range s.DumpTables(t) {
				if rows != before[name] {
					t.Errorf("HEAD %s changes %s:\n%s\n%s", got.Request.URL.Path, name, before[name], rows)
				}
			}
			if done := send(); done.StatusCode == http.StatusConflict || done.StatusCode >= 500 {
				t.Errorf("after HEAD, the act gives %d", done.StatusCode)
			}
		})
	}
}

// TestMethods_OnlyGetAndPostChangeAnything calls every route with all other methods, as a
// signed-in administrator, with all parameters that a page could need in the query.
func TestMethods_OnlyGetAndPostChangeAnything(t *testing.T) {
	s := newScene(t, storagetest.SQLite(t), nil)
	admin, _ := s.Administrator(t, "/admin")
	request := admin.Get(t, s.AuthorizeURL("prompt", "login")).FormTo(t, "/login", "", "").Values.Get("request")
	s.newUser(t)
	query := url.Values{
		"request": {request}, "id_token_hint": {s.tokens(t)["id_token"].(string)}, "return_to": {"/account"}, "client_id": {"trusted"}, "token": {"x"}, "done": {"app"},
	}.Encode()
	s.Drain()
	before := s.DumpTables(t)
	for _, r := range providertest.RouteTable(t) {
		for _, method := range providertest.Methods {
			if method == http.MethodGet || method == http.MethodPost {
				continue
			}
			for who, browser := range map[string]*providertest.Visitor{"administrator": admin, "user": s.browser} {
				ask, err := http.NewRequest(method, s.Issuer+strings.ReplaceAll(r.Path, "connector", "google")+"?"+query, nil)
				if err != nil {
					t.Fatal(err)
				}
				ask.Header.Set("Sec-Fetch-Site", "same-origin")
				if a := providertest.Do(t, browser.Client, ask); a.StatusCode >= 500 || len(a.Header.Values("Set-Cookie")) != 0 {
					t.Errorf("%s %s as %s: got %d, cookies %q", method, r.Path, who, a.StatusCode, a.Header.Values("Set-Cookie"))
				}
			}
		}
	}
	s.Drain()
	if err := s.NoteReadersOnce(t.Context(), s.Now()); err != nil {
		t.Fatal(err)
	}
	for name, rows := range s.DumpTables(t) {
		if rows != before[name] {
			t.Errorf("%s has changed:\n%s\n%s", name, before[name], rows)
		}
	}
}
