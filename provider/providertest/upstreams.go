package providertest

import (
	"context"
	"errors"
	"fmt"
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

// AttemptCookies returns the cookies of the sign-ins through upstreams that this browser has
// begun and not finished.
func (v *Visitor) AttemptCookies(t *testing.T) []*http.Cookie {
	t.Helper()
	u, _ := url.Parse(v.Bed.Issuer)
	var list []*http.Cookie
	for _, c := range v.Client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "signet_up_") {
			list = append(list, c)
		}
	}
	return list
}

// TripCookies returns AttemptCookies and the cookies with the authorization requests of
// these attempts.
func (v *Visitor) TripCookies(t *testing.T) []*http.Cookie {
	t.Helper()
	u, _ := url.Parse(v.Bed.Issuer)
	list := v.AttemptCookies(t)
	for _, c := range v.Client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "signet_for_") {
			list = append(list, c)
		}
	}
	return list
}

// Connect links an identity on the account page: it presses the button of the connector and
// signs in as account at the upstream.
func (v *Visitor) Connect(t *testing.T, connector, account string) Stop {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+"/account/identities")
	left := v.Submit(t, page.FormTo(t, "/account/identities/link", "connector", connector))
	if left.LeftTo == nil {
		t.Fatalf("connecting %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return v.Get(t, v.ChooseAccount(t, left.LeftTo, account))
}

// UnlinkForms returns the forms that remove an identity, in the order of the page.
func (s Stop) UnlinkForms(t *testing.T) []Form {
	t.Helper()
	var forms []Form
	for _, part := range strings.Split(s.Body, `name="identity" value="`)[1:] {
		key, _, _ := strings.Cut(part, `"`)
		forms = append(forms, s.FormTo(t, "/account/identities/unlink", "identity", key))
	}
	return forms
}

// NumberOf converts a number from a JSON body.
func NumberOf(t *testing.T, v any) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Fatalf("%v is not an integer", v)
	}
	return n
}

// UsersCreated counts the user.created events of the audit log.
func (b *Testbed) UsersCreated(t *testing.T) int {
	t.Helper()
	n := 0
	for _, e := range b.Events(t) {
		if e.Type == storage.UserCreated {
			n++
		}
	}
	return n
}

// OnUpstream runs the test on SQLite only, with upstreams; see WithUpstreams.
func OnUpstream(t *testing.T, f func(t *testing.T, b *Testbed, up *Upstreams), change ...func(*Upstreams, *provider.Config)) {
	t.Helper()
	up, option := WithUpstreams(t, change...)
	OnSQLite(t, func(t *testing.T, b *Testbed) { f(t, b, up) }, option)
}

// Upstreams are three fake identity providers on real ports, with the testbed's clock: a
// Google, a GitHub, and an OpenID provider that can send false claims (the liar).
type Upstreams struct {
	Google *federationtest.Google
	GitHub *federationtest.GitHub
	Liar   *federationtest.Lying

	Connectors []provider.Connector
}

// ExtraLiars is the number of further connectors that a test may point at the liar: liar-0,
// liar-1 and so on.
const ExtraLiars = 32

// WithUpstreams starts Upstreams and configures the connectors google, github and liar. They
// create accounts and never link an existing account without its owner. change may change
// the configuration. The Upstreams are started when the option is applied.
func WithUpstreams(t *testing.T, change ...func(up *Upstreams, c *provider.Config)) (*Upstreams, Option) {
	t.Helper()
	up := &Upstreams{}
	return up, func(c *provider.Config) {
		setup := func(id string) federationtest.Setup {
			return federationtest.Setup{RedirectURIs: []string{interaction.CallbackURI(c.Issuer, id)}, Now: c.Now}
		}
		var errs [3]error
		up.Google, errs[0] = federationtest.StartGoogle(setup("google"))
		up.GitHub, errs[1] = federationtest.StartGitHub(setup("github"))
		forLiar := setup("liar")
		forLiar.RedirectURIs = append(forLiar.RedirectURIs, interaction.CallbackURI(c.Issuer, "google"))
		for i := range ExtraLiars {
			forLiar.RedirectURIs = append(forLiar.RedirectURIs, interaction.CallbackURI(c.Issuer, fmt.Sprintf("liar-%d", i)))
		}
		up.Liar, errs[2] = federationtest.StartLying(forLiar)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatalf("start upstreams: %v", err)
		}
		t.Cleanup(up.Google.Close)
		t.Cleanup(up.GitHub.Close)
		t.Cleanup(up.Liar.Close)
		up.Connectors = []provider.Connector{
			{SignUp: true, Config: federation.Config{
				ID: "google", Kind: federation.Google, Issuer: up.Google.URL,
				ClientID: up.Google.ClientID, ClientSecret: federation.NewSecret(up.Google.ClientSecret),
			}},
			{SignUp: true, Config: federation.Config{
				ID: "github", Kind: federation.GitHub, BaseURL: up.GitHub.URL,
				ClientID: up.GitHub.ClientID, ClientSecret: federation.NewSecret(up.GitHub.ClientSecret),
			}},
			{SignUp: true, Config: federation.Config{
				ID: "liar", Kind: federation.OIDC, Name: "Elsewhere", Issuer: up.Liar.URL, Trust: federation.Verifies,
				ClientID: up.Liar.ClientID, ClientSecret: federation.NewSecret(up.Liar.ClientSecret),
			}},
		}
		c.Connectors = slices.Clone(up.Connectors)
		for _, f := range change {
			f(up, c)
		}
	}
}

// EachUpstream runs the test on every database, with upstreams; see WithUpstreams.
func EachUpstream(t *testing.T, f func(t *testing.T, b *Testbed, up *Upstreams), change ...func(*Upstreams, *provider.Config)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		up, option := WithUpstreams(t, change...)
		f(t, StartOn(t, backend, option), up)
	})
}

// Restarted starts another process with changed settings on the same database and issuer.
// Browsers that are at an upstream come back to this process.
func (b *Testbed) Restarted(t *testing.T, change Option) *Testbed {
	t.Helper()
	other := *b
	other.DB = b.Backend.Open(t)
	other.Serve(t, func(c *provider.Config) { c.Issuer = b.Issuer; change(c) })
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	other.Issuer = server.URL
	return &other
}

// ChangeConnector returns a change of the connector with this id, for WithUpstreams.
func ChangeConnector(id string, f func(*provider.Connector)) func(*Upstreams, *provider.Config) {
	return func(_ *Upstreams, c *provider.Config) {
		for i := range c.Connectors {
			if c.Connectors[i].ID == id {
				f(&c.Connectors[i])
			}
		}
	}
}

// PressConnector presses the button of a connector on the sign-in page and returns the URL
// at the upstream to which the provider redirects.
func (v *Visitor) PressConnector(t *testing.T, page Stop, connector string) *url.URL {
	t.Helper()
	left := v.Submit(t, page.FormTo(t, "/login/"+connector, "", ""))
	if left.LeftTo == nil {
		t.Fatalf("the button of %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return left.LeftTo
}

// ChooseAccount signs in as account at an upstream ("" cancels) and returns the callback URL
// to which the upstream redirects.
func (v *Visitor) ChooseAccount(t *testing.T, at *url.URL, account string) string {
	t.Helper()
	back, err := federationtest.ChooseAccount(http.DefaultClient, at.String(), account)
	if err != nil {
		t.Fatalf("sign in at the upstream: %v", err)
	}
	return at.Query().Get("redirect_uri") + "?" + back.Encode()
}

// SignInThrough signs in through an upstream, from the sign-in page on.
func (v *Visitor) SignInThrough(t *testing.T, page Stop, connector, account string) Stop {
	t.Helper()
	return v.Get(t, v.ChooseAccount(t, v.PressConnector(t, page, connector), account))
}

// DecideLink answers the page that asks whether to link an identity to the account. decision
// is "connect" or "not-now".
func (v *Visitor) DecideLink(t *testing.T, page Stop, decision string) Stop {
	t.Helper()
	if page.LeftTo != nil || page.At.Path != v.Bed.Path("/login/link") {
		t.Fatalf("the page is not /login/link but %s (left to %v, status %d)", page.At, page.LeftTo, page.StatusCode)
	}
	return v.Submit(t, page.FormTo(t, "/login/link/confirm", "", ""), "decision", decision)
}

// AuthorizeThrough sends an authorization request and signs in through an upstream. For
// pairs see Params.
func (v *Visitor) AuthorizeThrough(t *testing.T, connector, account string, pairs ...string) Stop {
	t.Helper()
	return v.SignInThrough(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), connector, account)
}

// WantProblem fails the test unless s is an error page with this status and stable code, and
// the browser has no session.
func (v *Visitor) WantProblem(t *testing.T, s Stop, status int, code string) {
	t.Helper()
	if s.LeftTo != nil {
		t.Fatalf("left to %s, want the page %s", s.LeftTo, code)
	}
	if s.StatusCode != status || !strings.Contains(s.Body, "<code>"+code+"</code>") {
		t.Fatalf("page: got status %d, want %d and the code %s in:\n%s", s.StatusCode, status, code, s.Body)
	}
	if got := s.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("content type: got %q", got)
	}
	v.WantNoSession(t)
}

// WantNoSession fails the test if the browser is signed in.
func (v *Visitor) WantNoSession(t *testing.T) {
	t.Helper()
	if page := v.Get(t, v.Bed.Issuer+"/account"); page.At.Path != v.Bed.Path("/login") {
		t.Fatalf("the browser has a session: /account leads to %s with status %d, want /login", page.At, page.StatusCode)
	}
}

// Subject consents if asked, redeems the code and returns the sub of the ID token.
func (v *Visitor) Subject(t *testing.T, s Stop) string {
	t.Helper()
	if s.LeftTo == nil {
		s = v.Allow(t, s)
	}
	return ClaimsOf(t, v.Bed.Redeem(t, s.Code(t))["id_token"])["sub"].(string)
}

// CreateUser creates a user with a password, not through an upstream.
func (b *Testbed) CreateUser(t *testing.T, u storage.User, pass string) storage.User {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: CheapHash}).Hash(context.Background(), pass, u)
	if err != nil {
		t.Fatalf("hash password: %v", err)
	}
	made, err := b.DB.CreateUser(context.Background(), u, hash, storage.By{At: b.Now()})
	if err != nil {
		t.Fatalf("create user: %v", err)
	}
	return made
}

// UserByEmail reads the user with this email address.
func (b *Testbed) UserByEmail(t *testing.T, email string) storage.User {
	t.Helper()
	u, _, err := b.DB.UserByEmail(context.Background(), email)
	if err != nil {
		t.Fatalf("user %s: %v", email, err)
	}
	return u
}

// WantNoUser fails the test if a user has this email address.
func (b *Testbed) WantNoUser(t *testing.T, email string) {
	t.Helper()
	if u, _, err := b.DB.UserByEmail(context.Background(), email); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("user %s: got %v, %v, want ErrNotFound", email, u.ID, err)
	}
}

// IdentitiesOf returns the identities of a user, each as "connector subject".
func (b *Testbed) IdentitiesOf(t *testing.T, userID string) []string {
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

// WantIdentities fails the test unless the user has exactly these identities, each as
// "connector subject".
func (b *Testbed) WantIdentities(t *testing.T, userID string, want ...string) {
	t.Helper()
	got := b.IdentitiesOf(t, userID)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("identities: got %q, want %q", got, want)
	}
}

// These people have accounts at the fake upstreams. The constants are their email addresses
// and their identities as IdentitiesOf lists them.
const (
	AdaEmail   = "ada.example@gmail.com"
	AdaID      = "google 110169484474386276334"
	OctoEmail  = "octo@octo.example"
	OctoID     = "github 583231"
	VictimMail = "victim@corp.example"
	VictimID   = "liar victim-1"
)

// ChangeClaims returns faults that set claims of the liar's ID tokens, by pairs of name and
// value.
func ChangeClaims(pairs ...string) federationtest.Faults {
	claims := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		claims[pairs[i]] = pairs[i+1]
	}
	return federationtest.Faults{Claims: claims}
}

// ChangeClaim returns faults that set one claim of the liar's ID tokens. nil removes the
// claim.
func ChangeClaim(name string, value any) federationtest.Faults {
	return federationtest.Faults{Claims: map[string]any{name: value}}
}
