package federation_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

const redirectURI = "http://localhost:8080/login/up/callback"

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// client returns a client like that of package outbound: without compression and proxy.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: userAgent{transport}, Timeout: 5 * time.Second}
}

type userAgent struct{ inner http.RoundTripper }

func (u userAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "signet")
	return u.inner.RoundTrip(r)
}

// trial is a connector to one pretend upstream.
type trial struct {
	federation.Connector
	clock  *clock
	client *http.Client
}

func connect(t *testing.T, c federation.Config, at *clock) *trial {
	t.Helper()
	if c.ID == "" {
		c.ID = "up"
	}
	own := client(t)
	connector, err := federation.New(c, own, at.now)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return &trial{connector, at, own}
}

func google(t *testing.T, change func(*federation.Config)) (*federationtest.Google, *trial) {
	t.Helper()
	at := newClock()
	g, err := federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{redirectURI}, Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	c := federation.Config{Kind: federation.Google, ClientID: g.ClientID, ClientSecret: federation.NewSecret(g.ClientSecret), Issuer: g.URL}
	if change != nil {
		change(&c)
	}
	return g, connect(t, c, at)
}

func gitHub(t *testing.T, change func(*federation.Config)) (*federationtest.GitHub, *trial) {
	t.Helper()
	at := newClock()
	g, err := federationtest.StartGitHub(federationtest.Setup{RedirectURIs: []string{redirectURI}, Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	c := federation.Config{Kind: federation.GitHub, ClientID: g.ClientID, ClientSecret: federation.NewSecret(g.ClientSecret), BaseURL: g.URL}
	if change != nil {
		change(&c)
	}
	return g, connect(t, c, at)
}

func lying(t *testing.T, change func(*federation.Config)) (*federationtest.Lying, *trial) {
	t.Helper()
	at := newClock()
	l, err := federationtest.StartLying(federationtest.Setup{RedirectURIs: []string{redirectURI}, Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	c := federation.Config{
		Kind: federation.OIDC, ClientID: l.ClientID, ClientSecret: federation.NewSecret(l.ClientSecret), Issuer: l.URL, Timeout: 2 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	return l, connect(t, c, at)
}

// start starts an attempt, which must succeed.
func (c *trial) start(t *testing.T, o federation.Options) (federation.Attempt, string) {
	t.Helper()
	if o.RedirectURI == "" {
		o.RedirectURI = redirectURI
	}
	a, to, err := c.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return a, to
}

// visit signs in at the upstream and returns the callback.
func (c *trial) visit(t *testing.T, account string) (federation.Attempt, url.Values) {
	t.Helper()
	a, to := c.start(t, federation.Options{})
	back, err := federationtest.ChooseAccount(c.client, to, account)
	if err != nil {
		t.Fatalf("sign in upstream: %v", err)
	}
	return a, back
}

// signIn makes a whole sign-in.
func (c *trial) signIn(t *testing.T, account string) (federation.Identity, error) {
	t.Helper()
	a, back := c.visit(t, account)
	return c.finish(t, a, back)
}

// finish calls Finish and checks the contract of every error.
func (c *trial) finish(t *testing.T, a federation.Attempt, back url.Values) (federation.Identity, error) {
	t.Helper()
	i, err := c.Finish(t.Context(), a, back)
	if err != nil {
		checkErrorContract(t, err, a.State, a.Nonce, a.Verifier, back.Get("code"))
	}
	return i, err
}

// mustSignIn makes a sign-in, which must succeed.
func (c *trial) mustSignIn(t *testing.T, account string) federation.Identity {
	t.Helper()
	i, err := c.signIn(t, account)
	if err != nil {
		t.Fatalf("sign in as %s: %v", account, err)
	}
	return i
}

// mustRefuse makes a sign-in, which must end with that error.
func (c *trial) mustRefuse(t *testing.T, account string, want error) {
	t.Helper()
	if i, err := c.signIn(t, account); !errors.Is(err, want) {
		t.Fatalf("sign in as %s: got %+v, %v; want %v", account, i, err, want)
	}
}

var sentinels = []error{
	federation.ErrDenied, federation.ErrUnreachable, federation.ErrUntrusted,
	federation.ErrNoEmail, federation.ErrNotAllowed, federation.ErrMisconfigured,
}

func checkErrorContract(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if n := len(slices.DeleteFunc(slices.Clone(sentinels), func(s error) bool { return !errors.Is(err, s) })); n != 1 {
		t.Errorf("error %q wraps %d of the six errors, want one", err, n)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("error %q contains a secret", err)
		}
	}
}

// minimalConfig returns the required settings of a connector of that kind.
func minimalConfig(t *testing.T, kind federation.Kind) federation.Config {
	t.Helper()
	c := federation.Config{ID: "up", Kind: kind, ClientID: "signet", ClientSecret: federation.NewSecret("a secret")}
	switch kind {
	case federation.OIDC:
		c.Issuer = "https://up.example"
	case federation.Microsoft:
		c.Tenants = []string{tenantA}
	case federation.Apple:
		c.ClientSecret, c.ClientKeyID, c.TeamID = federation.Secret{}, "kid", "team"
		c.ClientKey, _ = keyPEM(t)
	}
	return c
}
