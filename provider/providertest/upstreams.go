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

// AttemptCookies are the cookies of trips that the browser has open.
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

// TripCookies gives the attempts with the requests that they were started for.
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

// Connect presses the button of a connector on the account page, and signs in
// there.
func (v *Visitor) Connect(t *testing.T, connector, account string) Stop {
	t.Helper()
	page := v.Get(t, v.Bed.Issuer+"/account/identities")
	left := v.Submit(t, page.FormTo(t, "/account/identities/link", "connector", connector))
	if left.LeftTo == nil {
		t.Fatalf("connecting %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return v.Get(t, v.ChooseAccount(t, left.LeftTo, account))
}

// UnlinkForms are the forms of the page that take an identity away, in its order.
func (s Stop) UnlinkForms(t *testing.T) []Form {
	t.Helper()
	var forms []Form
	for _, part := range strings.Split(s.Body, `name="identity" value="`)[1:] {
		key, _, _ := strings.Cut(part, `"`)
		forms = append(forms, s.FormTo(t, "/account/identities/unlink", "identity", key))
	}
	return forms
}

// NumberOf reads a number of a JSON body.
func NumberOf(t *testing.T, v any) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Fatalf("%v is no number", v)
	}
	return n
}

// UsersCreated counts the users that were created, by the audit log.
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

// OnUpstream runs the test on SQLite alone, with upstreams.
func OnUpstream(t *testing.T, f func(t *testing.T, b *Testbed, up *Upstreams), change ...func(*Upstreams, *provider.Config)) {
	t.Helper()
	up, option := WithUpstreams(t, change...)
	OnSQLite(t, func(t *testing.T, b *Testbed) { f(t, b, up) }, option)
}

// Upstreams are a pretend Google, a pretend GitHub and a liar, on real ports, with
// the testbed's clock.
type Upstreams struct {
	Google *federationtest.Google
	GitHub *federationtest.GitHub
	Liar   *federationtest.Lying

	Connectors []provider.Connector
}

// ExtraLiars is how many further connectors a test may point at the liar: liar-0 and so on.
const ExtraLiars = 32

// WithUpstreams gives a provider the connectors google, github and liar, which
// make accounts and link by nobody's word; change may alter them.
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

// EachUpstream runs the test on every database, with upstreams of its own.
func EachUpstream(t *testing.T, f func(t *testing.T, b *Testbed, up *Upstreams), change ...func(*Upstreams, *provider.Config)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		up, option := WithUpstreams(t, change...)
		f(t, StartOn(t, backend, option), up)
	})
}

// Restarted is another process with other settings, on the same database and
// under the same issuer: browsers that are on their way come back to it.
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

// ChangeConnector changes the connector of this id.
func ChangeConnector(id string, f func(*provider.Connector)) func(*Upstreams, *provider.Config) {
	return func(_ *Upstreams, c *provider.Config) {
		for i := range c.Connectors {
			if c.Connectors[i].ID == id {
				f(&c.Connectors[i])
			}
		}
	}
}

// PressConnector takes a connector's button on the sign-in page and gives the URL at the
// upstream that the browser leaves for.
func (v *Visitor) PressConnector(t *testing.T, page Stop, connector string) *url.URL {
	t.Helper()
	left := v.Submit(t, page.FormTo(t, "/login/"+connector, "", ""))
	if left.LeftTo == nil {
		t.Fatalf("the button of %s leads to %s, status %d:\n%s", connector, left.At, left.StatusCode, left.Body)
	}
	return left.LeftTo
}

// ChooseAccount plays the page of an upstream: who signs in there ("" to cancel), and
// the callback that the browser is sent to.
func (v *Visitor) ChooseAccount(t *testing.T, at *url.URL, account string) string {
	t.Helper()
	back, err := federationtest.ChooseAccount(http.DefaultClient, at.String(), account)
	if err != nil {
		t.Fatalf("at the upstream: %v", err)
	}
	return at.Query().Get("redirect_uri") + "?" + back.Encode()
}

// SignInThrough walks from the sign-in page through an upstream and back.
func (v *Visitor) SignInThrough(t *testing.T, page Stop, connector, account string) Stop {
	t.Helper()
	return v.Get(t, v.ChooseAccount(t, v.PressConnector(t, page, connector), account))
}

// DecideLink answers the page that asks whether to connect an identity: "connect" or "not-now".
func (v *Visitor) DecideLink(t *testing.T, page Stop, decision string) Stop {
	t.Helper()
	if page.LeftTo != nil || page.At.Path != v.Bed.Path("/login/link") {
		t.Fatalf("not asked whether to connect but at %s (left to %v, status %d)", page.At, page.LeftTo, page.StatusCode)
	}
	return v.Submit(t, page.FormTo(t, "/login/link/confirm", "", ""), "decision", decision)
}

// AuthorizeThrough walks from an authorization request through an upstream and back.
func (v *Visitor) AuthorizeThrough(t *testing.T, connector, account string, pairs ...string) Stop {
	t.Helper()
	return v.SignInThrough(t, v.Get(t, v.Bed.AuthorizeURL(pairs...)), connector, account)
}

// WantProblem wants the page of a refused trip: this status and stable code, a way
// on, nobody signed in, and nothing that tells of the upstream's secret.
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

// WantNoSession wants the browser to have no session.
func (v *Visitor) WantNoSession(t *testing.T) {
	t.Helper()
	if page := v.Get(t, v.Bed.Issuer+"/account"); page.At.Path != v.Bed.Path("/login") {
		t.Fatalf("somebody is signed in: /account leads to %s, status %d", page.At, page.StatusCode)
	}
}

// Subject is who signed in, by the tokens that the walk yields.
func (v *Visitor) Subject(t *testing.T, s Stop) string {
	t.Helper()
	if s.LeftTo == nil {
		s = v.Allow(t, s)
	}
	return ClaimsOf(t, v.Bed.Redeem(t, s.Code(t))["id_token"])["sub"].(string)
}

// CreateUser is a user with a password that was not made by an upstream.
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

// UserByEmail reads the user of this address.
func (b *Testbed) UserByEmail(t *testing.T, email string) storage.User {
	t.Helper()
	u, _, err := b.DB.UserByEmail(context.Background(), email)
	if err != nil {
		t.Fatalf("user %s: %v", email, err)
	}
	return u
}

// WantNoUser wants nobody to have this address.
func (b *Testbed) WantNoUser(t *testing.T, email string) {
	t.Helper()
	if u, _, err := b.DB.UserByEmail(context.Background(), email); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("there is a user %s: %v, %v", email, u.ID, err)
	}
}

// IdentitiesOf gives a user's identities as "connector subject".
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

// WantIdentities wants the user to have exactly these, each "connector subject".
func (b *Testbed) WantIdentities(t *testing.T, userID string, want ...string) {
	t.Helper()
	got := b.IdentitiesOf(t, userID)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("identities: got %q, want %q", got, want)
	}
}

// AdaEmail and the others sign in at the pretend upstreams, and how their identities are listed.
const (
	AdaEmail   = "ada.example@gmail.com"
	AdaID      = "google 110169484474386276334"
	OctoEmail  = "octo@octo.example"
	OctoID     = "github 583231"
	VictimMail = "victim@corp.example"
	VictimID   = "liar victim-1"
)

// ChangeClaims changes claims of the liar's ID tokens, by pairs of name and value.
func ChangeClaims(pairs ...string) federationtest.Faults {
	claims := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		claims[pairs[i]] = pairs[i+1]
	}
	return federationtest.Faults{Claims: claims}
}

// ChangeClaim changes one claim of the liar's ID tokens; nil takes it away.
func ChangeClaim(name string, value any) federationtest.Faults {
	return federationtest.Faults{Claims: map[string]any{name: value}}
}
