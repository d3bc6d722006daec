package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
)

// TestRelyingParty_OpenIDClient signs in at a relying party that is not ours, in
// Node, on the library that is certified for OpenID Connect, in a real browser.
func TestRelyingParty_OpenIDClient(t *testing.T) {
	for _, party := range []struct{ clientType, alg, want string }{
		{"spa", "", "RS256"},
		{"web", "ES256", "ES256"},
	} {
		t.Run(party.clientType+" "+party.want, func(t *testing.T) {
			port := freePort(t)
			i := newInstance(t)
			home := fmt.Sprintf("http://127.0.0.1:%d", port)
			create := []string{"--type", party.clientType, "--redirect-uri", home + "/callback", "--post-logout-redirect-uri", home + "/bye"}
			if party.alg != "" {
				create = append(create, "--id-token-signed-response-alg", party.alg)
			}
			client := i.createClient(t, create...)
			i.serve(t)

			var saw relyingPartyReport
			runInBrowser(t, "relyingparty.mjs", map[string]any{
				"issuer": i.issuer, "email": i.email, "password": i.password, "port": port,
				"client_id": client.ID, "client_secret": client.Secret, "id_token_alg": party.want,
			}, &saw)
			saw.assert(t, i, party.want)
			saw.assertEnd(t, i, party.clientType == "web")
		})
	}
}

// relyingPartyReport is what relyingparty.mjs got for each of its requests.
type relyingPartyReport struct {
	Nobody, Denied, Allowed, Silent, Again, Refreshed, Gone relyingPartyAnswer

	Introspected struct{ Access, Refresh map[string]any }
	Revoked      struct {
		Access, Alive  map[string]any // userinfo with the revoked access token, and with the next
		Refresh, Grant map[string]any // after the refresh token was revoked: a refresh, and userinfo
	}
	SignedOut  string // where the browser ended, at the relying party
	Hinted     string // what login_hint put into the form
	Complaints []string
}

type relyingPartyAnswer struct {
	Error, Cause string
	Claims       map[string]any
	UserInfo     map[string]any
	Alg          string
	Rotated      bool    // the refresh token was replaced
	TokenType    string  `json:"token_type"`
	ExpiresIn    float64 `json:"expires_in"` // seconds
}

func (r relyingPartyReport) assert(t *testing.T, i *instance, alg string) {
	t.Helper()
	if r.Nobody.Error != "login_required" {
		t.Errorf("prompt=none with nobody signed in: got %+v, want login_required", r.Nobody)
	}
	if r.Denied.Error != "access_denied" {
		t.Errorf("a consent denied: got %+v, want access_denied", r.Denied)
	}
	for name, a := range map[string]relyingPartyAnswer{"allowed": r.Allowed, "silent": r.Silent, "again": r.Again, "refreshed": r.Refreshed} {
		if a.Error != "" {
			t.Errorf("%s: refused by the library: %s %s", name, a.Error, a.Cause)
			continue
		}
		if a.Alg != alg || !strings.EqualFold(a.TokenType, "bearer") || a.ExpiresIn != 15*60 {
			t.Errorf("%s: got %s, %s, %.0f s; want %s, bearer, 900 s", name, a.Alg, a.TokenType, a.ExpiresIn, alg)
		}
		if a.Claims["iss"] != i.issuer || a.UserInfo["sub"] != a.Claims["sub"] || a.UserInfo["email"] != i.email {
			t.Errorf("%s: ID token %v, userinfo %v", name, a.Claims, a.UserInfo)
		}
	}
	if r.Silent.Claims["sid"] != r.Allowed.Claims["sid"] || r.Silent.Claims["auth_time"] != r.Allowed.Claims["auth_time"] {
		t.Errorf("prompt=none gave another session: %v after %v", r.Silent.Claims, r.Allowed.Claims)
	}
	if r.Again.Claims["sid"] != r.Allowed.Claims["sid"] {
		t.Errorf("the same user signed in again under another sid: %v after %v", r.Again.Claims, r.Allowed.Claims)
	}
	if !r.Refreshed.Rotated || r.Refreshed.Claims["auth_time"] != r.Again.Claims["auth_time"] {
		t.Errorf("a refresh (rotated: %t) gave %v after %v", r.Refreshed.Rotated, r.Refreshed.Claims, r.Again.Claims)
	}
	if r.Hinted != i.email {
		t.Errorf("login_hint put %q into the form", r.Hinted)
	}
	refuseComplaints(t, r.Complaints)
}

// assertEnd: introspection is for clients that authenticate, revocation for all;
// an access token dies alone, a refresh token takes its grant along.
func (r relyingPartyReport) assertEnd(t *testing.T, i *instance, authenticates bool) {
	t.Helper()
	sub := r.Again.Claims["sub"]
	for name, answer := range map[string]map[string]any{"access": r.Introspected.Access, "refresh": r.Introspected.Refresh} {
		switch {
		case !authenticates && answer["error"] != "invalid_client":
			t.Errorf("a client without a secret introspects the %s token: %v", name, answer)
		case authenticates && (answer["active"] != true || answer["sub"] != sub || answer["iss"] != i.issuer):
			t.Errorf("the %s token by introspection: %v", name, answer)
		}
	}
	if r.Revoked.Access["error"] != "invalid_token" || r.Revoked.Alive["sub"] != sub {
		t.Errorf("after the access token was revoked: %v with it, %v with the next", r.Revoked.Access, r.Revoked.Alive)
	}
	if r.Revoked.Refresh["error"] != "invalid_grant" || r.Revoked.Grant["error"] != "invalid_token" {
		t.Errorf("after the refresh token was revoked: a refresh %v, userinfo %v", r.Revoked.Refresh, r.Revoked.Grant)
	}
	if r.SignedOut != "/bye?state=a+state" && r.SignedOut != "/bye?state=a%20state" {
		t.Errorf("the sign-out ended at %s", r.SignedOut)
	}
	if r.Gone.Error != "login_required" {
		t.Errorf("prompt=none after the sign-out: got %+v, want login_required", r.Gone)
	}
}

// TestRelyingParty_OAuth4WebAPI takes each step by itself, on a library that checks
// every answer by the letter, with a web client that may also act for itself.
func TestRelyingParty_OAuth4WebAPI(t *testing.T) {
	i := newInstance(t)
	port := freePort(t)
	redirect, bye := fmt.Sprintf("http://127.0.0.1:%d/callback", port), fmt.Sprintf("http://127.0.0.1:%d/bye", port)
	client := i.createClient(t, "--type", "web", "--redirect-uri", redirect, "--post-logout-redirect-uri", bye,
		"--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", "client_credentials",
		"--scope", "openid email offline_access photos:read")
	i.serve(t)
	var saw struct {
		Claims, Refreshed, UserInfo, Access, Own, Offline, Dead map[string]any

		Rotated, SignedOut bool
		Introspected       []map[string]any // the first refresh token, the second, the access token
		Revoked            any
		Complaints         []string
	}
	runInBrowser(t, "bareparty.mjs", map[string]any{
		"issuer": i.issuer, "email": i.email, "password": i.password,
		"client_id": client.ID, "client_secret": client.Secret, "port": port, "redirect_uri": redirect, "bye": bye,
	}, &saw)
	sub := saw.Claims["sub"]
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"userinfo email", saw.UserInfo["email"], i.email},
		{"access token client_id", saw.Access["client_id"], client.ID},
		{"access token sub", saw.Access["sub"], sub},
		{"sub after a refresh", saw.Refreshed["sub"], sub},
		{"auth_time after a refresh", saw.Refreshed["auth_time"], saw.Claims["auth_time"]},
		{"the refresh token was replaced", saw.Rotated, true},
		{"the refresh token before", fmt.Sprint(saw.Introspected[0]), "map[active:false]"},
		{"the refresh token now", saw.Introspected[1]["active"], true},
		{"the access token now", saw.Introspected[2]["active"], true},
		{"the client's own token", saw.Own["sub"], client.ID},
		{"its scope", saw.Own["scope"], "photos:read"},
		{"signed out with its state", saw.SignedOut, true},
		{"offline access after the sign-out", saw.Offline["sub"], sub},
		{"a refresh after the revocation", saw.Revoked, "invalid_grant"},
		{"the access token after the revocation", fmt.Sprint(saw.Dead), "map[active:false]"},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	refuseComplaints(t, saw.Complaints)
}

// TestRelyingParty_GoOIDC signs in at a relying party in Go, in a browser that
// knows nothing but HTML forms, and then tries the code a second time.
func TestRelyingParty_GoOIDC(t *testing.T) {
	i := newInstance(t)
	const callback = "http://127.0.0.1:9/callback" // nobody goes there
	client := i.createClient(t, "--type", "web", "--redirect-uri", callback)
	i.serve(t)

	provider, err := oidc.NewProvider(t.Context(), i.issuer)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	config := oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: callback,
		Endpoint: endpoint, Scopes: []string{oidc.ScopeOpenID, "email"},
	}
	verifier := oauth2.GenerateVerifier()

	b := newFormBrowser(t)
	b.open(config.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)))
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	b.send("consent", "allow", nil)
	answer := b.left.Query()
	if !strings.HasPrefix(b.left.String(), callback+"?") || answer.Get("state") != "a state" || answer.Get("iss") != i.issuer {
		t.Fatalf("the browser left for %s", b.left)
	}

	tokens, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "a nonce" {
		t.Errorf("nonce: got %q", id.Nonce)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error(err)
	}
	info, err := provider.UserInfo(t.Context(), config.TokenSource(t.Context(), tokens))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != i.email {
		t.Errorf("userinfo: got %+v, want subject %s and %s", info, id.Subject, i.email)
	}

	// RFC 6749, section 4.1.2: a code that comes twice was stolen once.
	if _, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier)); !strings.Contains(fmt.Sprint(err), "invalid_grant") {
		t.Errorf("the same code again: got %v, want invalid_grant", err)
	}
	if _, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens)); err == nil {
		t.Error("the access token outlived the replay of its code")
	}
}

// instance is an installation of its own: one user, clients, and `signet serve`.
type instance struct {
	issuer, email, password string
	env                     []string
}

func newInstance(t testing.TB) *instance {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	i := &instance{issuer: "http://" + listen, email: "alice@example.com", password: "correct horse battery staple"}
	i.env = []string{
		"SIGNET_ISSUER=" + i.issuer,
		"SIGNET_LISTEN=" + listen,
		"SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
	}
	i.command(t, i.password, nil, "user", "create", "--email", i.email, "--email-verified", "--password-stdin", "--json")
	return i
}

type createdClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (i *instance) createClient(t testing.TB, args ...string) (c createdClient) {
	t.Helper()
	i.command(t, "", &c, append([]string{"client", "create", "--name", "A relying party", "--json"}, args...)...)
	return c
}

// command runs a command that must succeed and reads what it prints as JSON.
func (i *instance) command(t testing.TB, stdin string, out any, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, i.env, strings.NewReader(stdin), &stdout, &stderr); code != exit.OK {
		t.Fatalf("signet %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("signet %s printed %q: %v", strings.Join(args, " "), stdout.String(), err)
	}
}

// dataDir is the folder of its database.
func (i *instance) dataDir(t *testing.T) string {
	t.Helper()
	for _, setting := range i.env {
		if dir, is := strings.CutPrefix(setting, "SIGNET_DATA_DIR="); is {
			return dir
		}
	}
	t.Fatal("it has no data directory of its own")
	return ""
}

func (i *instance) serve(t *testing.T) {
	t.Helper()
	startSignet(t, i.issuer, i.env, "serve")
}

// formBrowser is the plainest browser there is: it follows redirects and Refresh,
// keeps cookies and sends forms, and knows no script.
type formBrowser struct {
	t      testing.TB
	client *http.Client
	at     *url.URL // of the page it shows
	page   *html.Node
	left   *url.URL // where it was sent outside the provider; it did not go
}

func newFormBrowser(t testing.TB) *formBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &formBrowser{t: t}
	b.client = &http.Client{Jar: jar, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != via[0].URL.Host {
			b.left = next.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return b
}

func (b *formBrowser) open(target string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(request)
}

// send fills the form with that id and presses the button with that id; "" is the
// only one.
func (b *formBrowser) send(form, button string, typed map[string]string) {
	b.t.Helper()
	node := findByID(b.page, form)
	if node == nil {
		b.t.Fatalf("%s shows no form %q but %q", b.at, form, b.text())
	}
	b.submit(node, button, typed)
}

// click presses the button with that id in whatever form it stands.
func (b *formBrowser) click(button string) {
	b.t.Helper()
	node := findByID(b.page, button)
	for node != nil && node.Data != "form" {
		node = node.Parent
	}
	if node == nil {
		b.t.Fatalf("%s shows no button %q", b.at, button)
	}
	b.submit(node, button, nil)
}

func (b *formBrowser) submit(form *html.Node, button string, typed map[string]string) {
	b.t.Helper()
	fields := url.Values{}
	for input := range form.Descendants() {
		name, value := attribute(input, "name"), attribute(input, "value")
		switch {
		case name == "" || attribute(input, "type") == "checkbox":
		case input.Data == "button" && attribute(input, "id") != button:
		case typed[name] != "":
			fields.Set(name, typed[name])
		default:
			fields.Set(name, value)
		}
	}
	action, err := b.at.Parse(attribute(form, "action"))
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, action.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	b.do(request)
}

func (b *formBrowser) do(request *http.Request) {
	b.t.Helper()
	request.Header.Set("Accept", "text/html")
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	b.at = response.Request.URL
	if b.page, err = html.Parse(response.Body); err != nil {
		b.t.Fatal(err)
	}
	if _, target, ok := strings.Cut(response.Header.Get("Refresh"), "url="); ok {
		next, err := b.at.Parse(target)
		if err != nil {
			b.t.Fatal(err)
		}
		b.open(next.String())
	}
}

func findByID(page *html.Node, id string) *html.Node {
	for node := range page.Descendants() {
		if attribute(node, "id") == id {
			return node
		}
	}
	return nil
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// run runs the whole program, as main does.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return program.Run(ctx, &cli.Program{
		Env:    cli.Environment(env),
		Stdin:  stdin,
		Stdout: stdout,
		Stderr: &cli.LockedWriter{To: stderr},
		Now:    time.Now,
	}, args)
}
