package signettest

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// moreEndpoints holds the endpoints of the discovery document that go-oidc does not read.
type moreEndpoints struct {
	EndSession    string `json:"end_session_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

// GoParty is a relying party on go-oidc and x/oauth2. It calls the endpoints that these
// libraries do not support itself.
type GoParty struct {
	oauth2.Config
	Provider *oidc.Provider
	More     moreEndpoints
}

// NewGoParty creates a relying party for a client by discovery.
func NewGoParty(t *testing.T, i *Instance, client CreatedClient, scopes ...string) *GoParty {
	t.Helper()
	p := &GoParty{}
	var err error
	if p.Provider, err = oidc.NewProvider(t.Context(), i.Issuer); err == nil {
		err = p.Provider.Claims(&p.More)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.Config = oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: Nowhere, Scopes: append([]string{oidc.ScopeOpenID}, scopes...),
		Endpoint: p.Provider.Endpoint(),
	}
	p.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return p
}

// SignIn signs in and consents in the browser, if the provider asks for it, and redeems the
// code.
func (p *GoParty) SignIn(t *testing.T, i *Instance, b *FormBrowser) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	b.Left = nil
	b.Open(p.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
	if b.Left == nil {
		b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	}
	if b.Left == nil {
		b.Send("consent", "allow", nil)
	}
	tokens, err := p.Exchange(t.Context(), b.Left.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}
