package proxy_test

import (
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/federation/federationtest"
)

const (
	issuer   = "https://id.example.com"
	app      = "https://app.example.com"
	password = "correct horse battery staple"
)

// site is Signet behind a proxy, with an upstream and two clients.
type site struct {
	*signettest.Instance
	node      string // host:port
	log       *signettest.SyncBuffer
	proxy     *entrance
	web, shop signettest.CreatedClient
	transport http.RoundTripper // HTTP/2, through the proxy
}

// noise returns n characters that cannot be compressed.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	source, text := mathrand.New(mathrand.NewPCG(3, uint64(n))), make([]byte, n)
	for i := range text {
		text[i] = letters[source.IntN(len(letters))]
	}
	return string(text)
}

func startSite(t *testing.T, proxy string) *site {
	t.Helper()
	google, err := federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{issuer + "/login/elsewhere/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(google.Close)
	return startSiteWith(t, proxy, "ada@example.com", fmt.Sprintf(`
  - id: elsewhere
    type: oidc
    issuer: %s
    client_id: %s
    client_secret: %s
`, google.URL, google.ClientID, google.ClientSecret), app+"/bye")
}

// startSiteWith starts the site with a person of the address, and the connectors.
func startSiteWith(t *testing.T, proxy, email, connectors, bye string) *site {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	settings := strings.ReplaceAll(signettest.Block(t, "docs/operation.md", "## Run behind a proxy", "yaml"), "127.0.0.1:8080", listen) + fmt.Sprintf(`
first_party:
  origins: %s
connectors:%s`, app, connectors)
	file := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{Instance: &signettest.Instance{Issuer: issuer, Email: email, Password: password}, node: listen}
	s.Env = []string{"SIGNET_CONFIG=" + file, "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	s.Command(t, "", nil, "migrate")
	create := []string{"user", "create", "--email", s.Email, "--email-verified", "--password-stdin", "--json"}
	for n := range 5 {
		create = append(create, "--group", noise(196+n))
	}
	s.Command(t, password, nil, create...)
	s.web = s.CreateClient(t, "--redirect-uri", app+"/callback", "--post-logout-redirect-uri", bye)
	s.shop = s.CreateClient(t, "--type", "spa", "--redirect-uri", app+"/", "--first-party", "--scope", "openid profile email groups")
	s.log, _ = signettest.StartTalking(t, http.DefaultClient, "http://"+listen, s.Env, "serve")
	s.proxy = startProxy(t, proxy, listen)
	s.transport = s.proxy.transport(t, visitor{})
	return s
}

// browser returns a new browser. Every error it receives fails the test.
func (s *site) browser(t *testing.T) *signettest.FormBrowser {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = watched{t, s.transport}
	return b
}

// authorize returns the URL of an authorization request with the state.
func (s *site) authorize(state string, pairs ...string) string {
	v := url.Values{
		"response_type": {"code"}, "client_id": {s.web.ID}, "redirect_uri": {app + "/callback"}, "scope": {"openid email profile groups"}, "state": {state}, "nonce": {noise(43)},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return issuer + "/authorize?" + v.Encode()
}

// redeem consents if asked, and checks that the browser returns with a valid code.
func (s *site) redeem(b *signettest.FormBrowser, state string) (idToken string) {
	b.T.Helper()
	return s.redeemed(b, state).ID
}

// redeemed does the same and returns all tokens.
func (s *site) redeemed(b *signettest.FormBrowser, state string) (tokens signettest.Tokens) {
	b.T.Helper()
	if b.At.Path == "/consent" { // the first time
		b.Send("consent", "allow", nil)
	}
	if b.Left == nil || b.Left.Query().Get("state") != state || b.Left.Query().Get("code") == "" {
		b.T.Fatalf("at %.200s, left to %.200v: %q", b.At, b.Left, b.Text())
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {b.Left.Query().Get("code")}, "redirect_uri": {app + "/callback"}, "code_verifier": {signettest.CodeVerifier},
		"client_id": {s.web.ID}, "client_secret": {s.web.Secret},
	}
	answer, err := b.Client.PostForm(issuer+"/token", form)
	if err != nil {
		b.T.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.ID == "" {
		b.T.Fatalf("token request: %s, %v", answer.Status, err)
	}
	return tokens
}

// TestProxies_LargestRequestPassesWithDefaultLimits goes through every way to sign in and out
// with a state of nearly the longest allowed length, in a browser that collects all cookies
// on the way.
func TestProxies_LargestRequestPassesWithDefaultLimits(t *testing.T) {
	eachProxy(t, passLargestRequests)
}

func passLargestRequests(t *testing.T, proxy string) {
	s := startSite(t, proxy)
	for _, state := range []string{noise(1500), strings.Repeat("s", 2200)} {
		b := s.browser(t)
		// Press the button three times, each on a new page; then open the first page again.
		for i := range 3 {
			b.Open(s.authorize(state[i:]))
			b.Click("connector-elsewhere")
		}
		upstream := b.Left
		b.Open(issuer + "/account") // now sign in with the password
		b.Send("login", "", map[string]string{"username": s.Email, "password": password})
		if b.At.Path != "/account" || b.At.Host != "id.example.com" {
			t.Fatalf("at %s: %q", b.At, b.Text())
		}
		b.Open(s.authorize(state))
		idToken := s.redeem(b, state)
		b.Open(s.authorize(state, "prompt", "login"))
		b.Send("login", "", map[string]string{"username": s.Email, "password": password})
		s.redeem(b, state)
		b.Open(s.authorize(state, "prompt", "select_account"))
		b.Click("continue")
		s.redeem(b, state)
		b.Open(s.authorize(state[:1000], "prompt", "none", "id_token_hint", idToken))
		s.redeem(b, state[:1000])

		s.goesToTheShop(b)

		back, err := federationtest.ChooseAccount(http.DefaultClient, upstream.String(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		b.Open(issuer + "/login/elsewhere/callback?" + back.Encode())
		s.redeem(b, state[2:])
		for _, page := range []string{"/account", "/account/sessions", "/account/apps", "/account/identities", "/session", "/.well-known/openid-configuration", "/jwks"} {
			b.Open(issuer + page)
		}

		bye := url.Values{"post_logout_redirect_uri": {app + "/bye"}, "client_id": {s.web.ID}, "state": {state}}
		b.Open(issuer + "/end_session?" + bye.Encode())
		b.Click("allow")
		if b.Left == nil || b.Left.Query().Get("state") != state {
			t.Errorf("signed out at %.200s, left to %.200v", b.At, b.Left)
		}
	}
}

// goesToTheShop collects the cookies of the first-party app for a user with large groups: by
// the page, by JSON, and by refresh.
func (s *site) goesToTheShop(b *signettest.FormBrowser) {
	b.T.Helper()
	to := app + "/" + noise(700)
	b.Open(issuer + "/login?" + url.Values{"return_to": {to}}.Encode())
	if b.Left == nil || b.Left.String() != to {
		b.T.Fatalf("at %.200s, left to %.200v: %q", b.At, b.Left, b.Text())
	}
	s.call(b, http.MethodPost, "/login", fmt.Sprintf(`{"username":%q,"password":%q}`, s.Email, password))
	s.call(b, http.MethodPost, "/refresh", "{}")
	for _, c := range b.Client.Jar.Cookies(&url.URL{Scheme: "https", Host: "id.example.com", Path: "/"}) {
		if c.Name == "__Host-access_token" && len(c.Value) > 1500 {
			return
		}
	}
	b.T.Error("the browser has no large access token")
}

// call sends a request as the script of the app does.
func (s *site) call(b *signettest.FormBrowser, method, path, body string) {
	b.T.Helper()
	r, err := http.NewRequestWithContext(b.T.Context(), method, issuer+path, strings.NewReader(body))
	if err != nil {
		b.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", app)
	answer, err := b.Client.Do(r)
	if err != nil {
		b.T.Fatal(err)
	}
	answer.Body.Close()
}

// TestProxies_TooLargeIsRefusedBySignet checks that Signet answers before the proxy does with 400
// or 502. The page of Signet names the change to make.
func TestProxies_TooLargeIsRefusedBySignet(t *testing.T) {
	eachProxy(t, refuseTooLarge)
}

func refuseTooLarge(t *testing.T, proxy string) {
	s := startSite(t, proxy)
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = s.transport
	for _, state := range []string{noise(1900), noise(2600), strings.Repeat("s", 2600), noise(4500), noise(7000)} {
		b.Open(s.authorize(state))
		if got := b.Text(); !strings.Contains(got, "shorten state") || strings.Contains(strings.ToLower(got), proxy) {
			t.Errorf("a state of %d characters: %q", len(state), got)
		}
	}
	b.Open(s.authorize("short")) // no cookie of it stays
	if b.At.Path != "/login" {
		t.Errorf("at %s: %q", b.At, b.Text())
	}
}

// watched fails the test for every error answer of the proxy or of Signet.
type watched struct {
	t    *testing.T
	next http.RoundTripper
}

// RoundTrip sends the request on.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err == nil && answer.StatusCode >= 400 {
		sent := 0
		for name, values := range r.Header {
			sent += len(name) + len(strings.Join(values, "; "))
		}
		w.t.Errorf("%s %.100s: %s; %d bytes of address, %d of headers", r.Method, r.URL, answer.Status, len(r.URL.String()), sent)
	}
	return answer, err
}
