package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/credential"
	"signet/provider/interaction"
	"signet/storage"
	"signet/storage/storagetest"
)

// upstreams are a pretend Google, a pretend GitHub and a liar, on real ports, with
// the testbed's clock.
type upstreams struct {
	google *federationtest.Google
	github *federationtest.GitHub
	liar   *federationtest.Lying

	connectors []provider.Connector
}

// withUpstreams gives a provider the connectors google, github and liar, which
// make accounts and link by nobody's word; change may alter them.
func withUpstreams(t *testing.T, change ...func(up *upstreams, c *provider.Config)) (*upstreams, option) {
	t.Helper()
	up := &upstreams{}
	return up, func(c *provider.Config) {
		setup := func(id string) federationtest.Setup {
			return federationtest.Setup{RedirectURIs: []string{interaction.CallbackURI(c.Issuer, id)}, Now: c.Now}
		}
		var errs [3]error
		up.google, errs[0] = federationtest.StartGoogle(setup("google"))
		up.github, errs[1] = federationtest.StartGitHub(setup("github"))
		forLiar := setup("liar")
		forLiar.RedirectURIs = append(forLiar.RedirectURIs, interaction.CallbackURI(c.Issuer, "google"))
		up.liar, errs[2] = federationtest.StartLying(forLiar)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatalf("start upstreams: %v", err)
		}
		t.Cleanup(up.google.Close)
		t.Cleanup(up.github.Close)
		t.Cleanup(up.liar.Close)
		up.connectors = []provider.Connector{
			{SignUp: true, Config: federation.Config{
				ID: "google", Kind: federation.Google, Issuer: up.google.URL,
				ClientID: up.google.ClientID, ClientSecret: federation.NewSecret(up.google.ClientSecret),
			}},
			{SignUp: true, Config: federation.Config{
				ID: "github", Kind: federation.GitHub, BaseURL: up.github.URL,
				ClientID: up.github.ClientID, ClientSecret: federation.NewSecret(up.github.ClientSecret),
			}},
			{SignUp: true, Config: federation.Config{
				ID: "liar", Kind: federation.OIDC, Name: "Elsewhere", Issuer: up.liar.URL, Trust: federation.Verifies,
				ClientID: up.liar.ClientID, ClientSecret: federation.NewSecret(up.liar.ClientSecret),
			}},
		}
		c.Connectors = slices.Clone(up.connectors)
		for _, f := range change {
			f(up, c)
		}
	}
}

// eachUpstream runs the test on every database, with upstreams of its own.
func eachUpstream(t *testing.T, f func(t *testing.T, b *testbed, up *upstreams), change ...func(*upstreams, *provider.Config)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		up, option := withUpstreams(t, change...)
		f(t, startOn(t, backend, option), up)
	})
}

// restarted is another process with other settings, on the same database and
// under the same issuer: browsers that are on their way come back to it.
func (b *testbed) restarted(t *testing.T, change option) *testbed {
	t.Helper()
	other := *b
	other.DB = b.backend.Open(t)
	other.serve(t, func(c *provider.Config) { c.Issuer = b.Issuer; change(c) })
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	other.Issuer = server.URL
	return &other
}

// alter changes the connector of this id.
func alter(id string, f func(*provider.Connector)) func(*upstreams, *provider.Config) {
	return func(_ *upstreams, c *provider.Config) {
		for i := range c.Connectors {
			if c.Connectors[i].ID == id {
				f(&c.Connectors[i])
			}
		}
	}
}

func autoLink(c *provider.Connector) { c.AutoLink = true }

func noSignUp(c *provider.Connector) { c.SignUp = false }

// press takes a connector's button on the sign-in page and gives the URL at the
// upstream that the browser leaves for.
func (v *visitor) press(t *testing.T, page stop, connector string) *url.URL {
	t.Helper()
	left := v.submit(t, page.formTo(t, "/login/"+connector, "", ""))
	if left.Left == nil {
		t.Fatalf("the button of %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return left.Left
}

// choose plays the page of an upstream: who signs in there ("" to cancel), and
// the callback that the browser is sent to.
func (v *visitor) choose(t *testing.T, at *url.URL, account string) string {
	t.Helper()
	back, err := federationtest.Choose(http.DefaultClient, at.String(), account)
	if err != nil {
		t.Fatalf("at the upstream: %v", err)
	}
	return at.Query().Get("redirect_uri") + "?" + back.Encode()
}

// through walks from the sign-in page through an upstream and back.
func (v *visitor) through(t *testing.T, page stop, connector, account string) stop {
	t.Helper()
	return v.get(t, v.choose(t, v.press(t, page, connector), account))
}

// comeBy walks from an authorization request through an upstream and back.
func (v *visitor) comeBy(t *testing.T, connector, account string, pairs ...string) stop {
	t.Helper()
	return v.through(t, v.get(t, v.b.authorizeURL(pairs...)), connector, account)
}

// wantProblem wants the page of a refused trip: this status and stable code, a way
// on, nobody signed in, and nothing that tells of the upstream's secret.
func (v *visitor) wantProblem(t *testing.T, s stop, status int, code string) {
	t.Helper()
	if s.Left != nil {
		t.Fatalf("left to %s, want the page %s", s.Left, code)
	}
	if s.StatusCode != status || !strings.Contains(s.Body, "<code>"+code+"</code>") {
		t.Fatalf("page: got status %d, want %d and the code %s in:\n%s", s.StatusCode, status, code, s.Body)
	}
	if got := s.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("content type: got %q", got)
	}
	v.wantNobody(t)
}

// wantWayBack wants the page to lead to the sign-in page of the same request, and
// that to work.
func (v *visitor) wantWayBack(t *testing.T, s stop) stop {
	t.Helper()
	page := v.get(t, s.link(t, "start"))
	if page.At.Path != v.b.path("/login") || page.StatusCode != http.StatusOK {
		t.Fatalf("the way back leads to %s with status %d", page.At, page.StatusCode)
	}
	page.formTo(t, "/login", "", "")
	return page
}

// wantNobody wants the browser to have no session.
func (v *visitor) wantNobody(t *testing.T) {
	t.Helper()
	if page := v.get(t, v.b.Issuer+"/account"); page.At.Path != v.b.path("/login") {
		t.Fatalf("somebody is signed in: /account leads to %s, status %d", page.At, page.StatusCode)
	}
}

// subject is who signed in, by the tokens that the walk yields.
func (v *visitor) subject(t *testing.T, s stop) string {
	t.Helper()
	if s.Left == nil {
		s = v.allow(t, s)
	}
	return claimsOf(t, v.b.redeem(t, s.code(t))["id_token"])["sub"].(string)
}

// local is a user with a password that was not made by an upstream.
func (b *testbed) local(t *testing.T, u storage.User, pass string) storage.User {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: cheapHash}).Hash(context.Background(), pass, u)
	if err != nil {
		t.Fatalf("hash password: %v", err)
	}
	made, err := b.DB.CreateUser(context.Background(), u, hash, storage.By{At: b.now()})
	if err != nil {
		t.Fatalf("create user: %v", err)
	}
	return made
}

func (b *testbed) userBy(t *testing.T, email string) storage.User {
	t.Helper()
	u, _, err := b.DB.UserByEmail(context.Background(), email)
	if err != nil {
		t.Fatalf("user %s: %v", email, err)
	}
	return u
}

func (b *testbed) wantNoUser(t *testing.T, email string) {
	t.Helper()
	if u, _, err := b.DB.UserByEmail(context.Background(), email); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("there is a user %s: %v, %v", email, u.ID, err)
	}
}

// identitiesOf gives a user's identities as "connector subject".
func (b *testbed) identitiesOf(t *testing.T, userID string) []string {
	t.Helper()
	list, err := b.DB.IdentitiesOf(context.Background(), userID)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, i := range list {
		names = append(names, i.Connector+" "+i.Subject)
	}
	return names
}

func (b *testbed) wantIdentities(t *testing.T, userID string, want ...string) {
	t.Helper()
	got := b.identitiesOf(t, userID)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("identities: got %q, want %q", got, want)
	}
}

// Who signs in at the pretend upstreams, and how their identities are listed.
const (
	adaEmail   = "ada.example@gmail.com"
	adaID      = "google 110169484474386276334"
	octoEmail  = "octo@octo.example"
	octoID     = "github 583231"
	victimMail = "victim@corp.example"
	victimID   = "liar victim-1"
)

// lieOf changes claims of the liar's ID tokens, by pairs of name and value.
func lieOf(pairs ...string) federationtest.Faults {
	claims := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		claims[pairs[i]] = pairs[i+1]
	}
	return federationtest.Faults{Claims: claims}
}

// lie changes one claim of the liar's ID tokens; nil takes it away.
func lie(name string, value any) federationtest.Faults {
	return federationtest.Faults{Claims: map[string]any{name: value}}
}
