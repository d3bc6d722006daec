package federation_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"signet/federation"
)

func TestGitHub_SignIn(t *testing.T) {
	g, c := gitHub(t, nil)
	i := c.mustSignIn(t, "octo")
	if i.Issuer != g.URL || i.Subject != "583231" || i.Username != "octo" || i.Name != "Octo Cat" {
		t.Errorf("got %+v", i)
	}
	if i.Email != "octo@octo.example" || !i.EmailVerified || i.Trust != federation.Verifies {
		t.Errorf("got address %q, verified %v, trust %v", i.Email, i.EmailVerified, i.Trust)
	}
}

// TestGitHub_LargeIDsKeepAllDigits: 2^53+1 is the first number that a float64 cannot represent.
// FD-35: numeric ids must not be decoded as float64.
func TestGitHub_LargeIDsKeepAllDigits(t *testing.T) {
	_, up := gitHub(t, nil)
	if got := up.mustSignIn(t, "big").Subject; got != "9007199254740993" {
		t.Errorf("got subject %s, want 9007199254740993", got)
	}
}

// TestGitHub_Addresses: the address is the primary one, if it is verified and can receive mail.
func TestGitHub_Addresses(t *testing.T) {
	_, up := gitHub(t, nil)
	for account, want := range map[string]string{
		"octo": "octo@octo.example", "unproven": "", "hidden": "", "shy": "",
	} {
		i := up.mustSignIn(t, account)
		if i.Email != want || i.EmailVerified != (want != "") || want == "" && i.Trust != federation.Unknown {
			t.Errorf("%s: got %q, verified %v, trust %v; want %q", account, i.Email, i.EmailVerified, i.Trust, want)
		}
	}
}

func TestGitHub_AddressIsRequired(t *testing.T) {
	_, up := gitHub(t, func(c *federation.Config) { c.RequireEmail = true })
	for _, account := range []string{"unproven", "hidden", "shy"} {
		up.mustRefuse(t, account, federation.ErrNoEmail)
	}
	up.mustSignIn(t, "octo")
}

// TestGitHub_AllowedDomains: the address on the profile, which the user can enter freely, does not
// count.
func TestGitHub_AllowedDomains(t *testing.T) {
	_, up := gitHub(t, allowDomains("corp.example"))
	up.mustRefuse(t, "unproven", federation.ErrNoEmail)
	up.mustRefuse(t, "octo", federation.ErrNotAllowed)
	_, up = gitHub(t, allowDomains("corp.example", "octo.example"))
	up.mustSignIn(t, "octo")
}

func TestGitHub_RevokedGrant(t *testing.T) {
	_, up := gitHub(t, nil)
	up.mustRefuse(t, "fickle", federation.ErrDenied)
}

func TestGitHub_RefusalWithStatus200(t *testing.T) {
	_, up := gitHub(t, func(c *federation.Config) { c.ClientSecret = federation.NewSecret("wrong") })
	up.mustRefuse(t, "octo", federation.ErrMisconfigured)
	_, up = gitHub(t, nil)
	a, back := up.visit(t, "octo")
	back.Set("code", "guess")
	if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
}

// TestGitHub_InvalidAPIAnswers sends answers of a broken or hostile API.
func TestGitHub_InvalidAPIAnswers(t *testing.T) {
	const emails = `[{"email":"a@octo.example","primary":true,"verified":true}]`
	for name, c := range map[string]struct {
		user, emails string
		want         error
	}{
		"honest":             {`{"id":1,"login":"a"}`, emails, nil},
		"largest id":         {`{"id":9223372036854775807}`, emails, nil},
		"id beyond int64":    {`{"id":9223372036854775808}`, emails, federation.ErrUntrusted},
		"id as text":         {`{"id":"1"}`, emails, federation.ErrUntrusted},
		"id a float":         {`{"id":1.5}`, emails, federation.ErrUntrusted},
		"id with exponent":   {`{"id":1e3}`, emails, federation.ErrUntrusted},
		"id negative":        {`{"id":-1}`, emails, federation.ErrUntrusted},
		"id zero":            {`{"id":0}`, emails, federation.ErrUntrusted},
		"no id":              {`{"login":"a"}`, emails, federation.ErrUntrusted},
		"id null":            {`{"id":null}`, emails, federation.ErrUntrusted},
		"id twice":           {`{"id":1,"id":2}`, emails, federation.ErrUntrusted},
		"id in two cases":    {`{"id":1,"ID":2}`, emails, federation.ErrUntrusted},
		"user a list":        {`[{"id":1}]`, emails, federation.ErrUntrusted},
		"user HTML":          {`<html>`, emails, federation.ErrUntrusted},
		"emails an object":   {`{"id":1}`, `{"email":"a@octo.example"}`, federation.ErrUntrusted},
		"emails of text":     {`{"id":1}`, `["a@octo.example"]`, federation.ErrUntrusted},
		"emails HTML":        {`{"id":1}`, `<html>`, federation.ErrUntrusted},
		"address a number":   {`{"id":1}`, `[{"email":1,"primary":true,"verified":true}]`, federation.ErrUntrusted},
		"address twice":      {`{"id":1}`, `[{"email":"a@b.example","email":"c@d.example","primary":true,"verified":true}]`, federation.ErrUntrusted},
		"verified as text":   {`{"id":1}`, `[{"email":"a@octo.example","primary":true,"verified":"true"}]`, federation.ErrNoEmail},
		"VERIFIED":           {`{"id":1}`, `[{"email":"a@octo.example","primary":true,"VERIFIED":true}]`, federation.ErrNoEmail},
		"primary as number":  {`{"id":1}`, `[{"email":"a@octo.example","primary":1,"verified":true}]`, federation.ErrNoEmail},
		"no addresses":       {`{"id":1}`, `[]`, federation.ErrNoEmail},
		"rate limit":         {"403", emails, federation.ErrUnreachable},
		"API down":           {"503", emails, federation.ErrUnreachable},
		"API gone":           {"404", emails, federation.ErrUntrusted},
		"addresses unstable": {`{"id":1}`, "502", federation.ErrUnreachable},
		"addresses limited":  {`{"id":1}`, "403", federation.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			up := hostileGitHub(t, c.user, c.emails)
			a, _ := up.start(t, federation.Options{})
			i, err := up.finish(t, a, url.Values{"state": {a.State}, "code": {"code-of-octo"}})
			if !errors.Is(err, c.want) {
				t.Errorf("got %+v, %v; want %v", i, err, c.want)
			}
		})
	}
}

// hostileGitHub answers with these bodies. If a body is a number, it answers with that status.
func hostileGitHub(t *testing.T, user, emails string) *trial {
	t.Helper()
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			if status, err := strconv.Atoi(text); err == nil {
				w.WriteHeader(status)
				return
			}
			io.WriteString(w, text)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /login/oauth/access_token", answer(`{"access_token":"gho_x","token_type":"bearer"}`))
	mux.Handle("GET /api/v3/user", answer(user))
	mux.Handle("GET /api/v3/user/emails", answer(emails))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return connect(t, federation.Config{
		Kind: federation.GitHub, ClientID: "c", ClientSecret: federation.NewSecret("s"), BaseURL: server.URL, RequireEmail: true,
	}, newClock())
}

// TestGitHub_CallsAPIConcurrently: each of the two answers waits until both requests have arrived.
func TestGitHub_CallsAPIConcurrently(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	together := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			both.Done()
			both.Wait()
			io.WriteString(w, text)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"access_token":"gho_x","token_type":"bearer"}`)
	})
	mux.Handle("GET /api/v3/user", together(`{"id":1}`))
	mux.Handle("GET /api/v3/user/emails", together(`[]`))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	up := connect(t, federation.Config{Kind: federation.GitHub, ClientID: "c", ClientSecret: federation.NewSecret("s"), BaseURL: server.URL}, newClock())
	a, _ := up.start(t, federation.Options{})
	if _, err := up.finish(t, a, url.Values{"state": {a.State}, "code": {"code-of-octo"}}); err != nil {
		t.Errorf("one call waited for the other: %v", err)
	}
}

// TestGitHub_BaseURLs: the API of github.com is on another host, that of an Enterprise server is
// below its base URL.
func TestGitHub_BaseURLs(t *testing.T) {
	for base, want := range map[string]string{
		"":                           "https://api.github.com/user",
		"https://github.com":         "https://api.github.com/user",
		"https://github.com/":        "https://api.github.com/user",
		"https://git.corp.example":   "https://git.corp.example/api/v3/user",
		"https://git.corp.example/x": "https://git.corp.example/x/api/v3/user",
	} {
		offline := client(t)
		offline.Transport = unreachableTransport{}
		c, err := federation.New(federation.Config{ID: "gh", Kind: federation.GitHub, ClientID: "c", ClientSecret: federation.NewSecret("s"), BaseURL: base}, offline, newClock().now)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Probe(t.Context(), redirectURI).Endpoints["userinfo"]; got != want {
			t.Errorf("%q: got %s, want %s", base, got, want)
		}
	}
}

// unreachableTransport fails every call.
type unreachableTransport struct{}

func (unreachableTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }
