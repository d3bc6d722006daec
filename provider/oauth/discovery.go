package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/directory"
	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/session"
)

// discoveryMetadata is the provider metadata of OIDC Discovery, section 3, and
// RFC 8414, section 2: what the library's struct names and what it lacks.
type discoveryMetadata struct {
	oidc.DiscoveryConfiguration
	AuthorizationResponseIss bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207, section 3
	PromptValues             []string `json:"prompt_values_supported"`
	ClaimsParameter          bool     `json:"claims_parameter_supported"`  // the library's fields leave a
	RequestParameter         bool     `json:"request_parameter_supported"` // false out
}

// discoveryDocument builds what this provider really does. It never depends on a
// request: no host, no header and no cache can change it.
func (p *Provider) discoveryDocument() ([]byte, error) {
	m := discoveryMetadata{AuthorizationResponseIss: true, PromptValues: promptValues, ClaimsParameter: true}
	m.Issuer = p.Issuer
	m.AuthorizationEndpoint = p.locate("/authorize")
	m.TokenEndpoint = p.locate("/token")
	m.UserinfoEndpoint = p.locate("/userinfo")
	m.IntrospectionEndpoint = p.locate("/introspect")
	m.RevocationEndpoint = p.locate("/revoke")
	m.EndSessionEndpoint = p.locate("/end_session")
	m.JwksURI = p.locate("/jwks")
	m.BackChannelLogoutSupported = true
	m.BackChannelLogoutSessionSupported = true
	m.ScopesSupported = request.ScopeNames
	m.ResponseTypesSupported = []string{"code"}
	m.ResponseModesSupported = []string{modeQuery, modeFragment}
	for _, g := range directory.GrantTypes() {
		if g.Served {
			m.GrantTypesSupported = append(m.GrantTypesSupported, oidc.GrantType(g.Name))
		}
	}
	m.SubjectTypesSupported = []string{"public"}
	m.ACRValuesSupported = []string{session.OneFactor}
	m.IDTokenSigningAlgValuesSupported = p.ring.Algorithms()
	secrets := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	m.TokenEndpointAuthMethodsSupported = append(slices.Clone(secrets), oidc.AuthMethodNone)
	m.RevocationEndpointAuthMethodsSupported = m.TokenEndpointAuthMethodsSupported
	m.IntrospectionEndpointAuthMethodsSupported = secrets
	m.CodeChallengeMethodsSupported = []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256}
	m.ClaimTypesSupported = []string{"normal"}
	m.ClaimsSupported = flow.ClaimNames()
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode discovery document: %w", err)
	}
	sum := sha256.Sum256(body)
	p.discoveryTag = `"` + hex.EncodeToString(sum[:12]) + `"`
	return body, nil
}

func (p *Provider) discoveryBody() ([]byte, string) { return p.discovery, p.discoveryTag }
