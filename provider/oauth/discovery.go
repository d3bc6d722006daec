package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/text/language"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/storage"
)

// discoveryMetadata is the provider metadata of OIDC Discovery, section 3, and RFC 8414,
// section 2. It adds the fields that the struct of the library lacks.
// ClaimsParameter and RequestParameter replace fields of the library, which omit the value
// false.
type discoveryMetadata struct {
	oidc.DiscoveryConfiguration
	AuthorizationResponseIss bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207, section 3
	PromptValues             []string `json:"prompt_values_supported"`
	ClaimsParameter          bool     `json:"claims_parameter_supported"`
	RequestParameter         bool     `json:"request_parameter_supported"`
	PushedEndpoint           string   `json:"pushed_authorization_request_endpoint"` // RFC 9126, section 5
	RequirePushed            bool     `json:"require_pushed_authorization_requests"`
	FrontchannelLogout       bool     `json:"frontchannel_logout_supported,omitempty"` // OIDC Front-Channel Logout, section 3
	FrontchannelSession      bool     `json:"frontchannel_logout_session_supported,omitempty"`
}

// discoveryDocument builds the discovery document and its ETag. The document lists only
// features that this provider has. It never depends on a request: no host, no header and no
// cache can change it.
func (h *Handler) discoveryDocument() (body []byte, etag string, err error) {
	m := discoveryMetadata{AuthorizationResponseIss: true, PromptValues: h.promptValues(), ClaimsParameter: true}
	m.Issuer = h.Issuer
	m.AuthorizationEndpoint = h.Issuer + "/authorize"
	m.TokenEndpoint = h.Issuer + "/token"
	m.UserinfoEndpoint = h.Issuer + "/userinfo"
	m.IntrospectionEndpoint = h.Issuer + "/introspect"
	m.RevocationEndpoint = h.Issuer + "/revoke"
	m.DeviceAuthorizationEndpoint = h.Issuer + "/device_authorization"
	m.EndSessionEndpoint = h.Issuer + "/end_session"
	m.PushedEndpoint = h.Issuer + "/par"
	m.RequirePushed = h.RequirePushed
	m.JwksURI = h.Issuer + "/jwks"
	if !h.Registration.IsOff() {
		m.RegistrationEndpoint = h.Issuer + registerPath
	}
	m.BackChannelLogoutSupported = true
	m.BackChannelLogoutSessionSupported = true
	m.FrontchannelLogout, m.FrontchannelSession = h.Notices.FrontChannel, h.Notices.FrontChannel
	if h.SessionManagement {
		m.CheckSessionIframe = h.Issuer + checkSessionPath
	}
	m.ScopesSupported = request.ScopeNames
	m.ResponseTypesSupported = h.ResponseTypes
	if len(m.ResponseTypesSupported) == 0 {
		m.ResponseTypesSupported = []string{storage.ResponseTypeCode}
	}
	m.ResponseModesSupported = responseModes
	for _, g := range storage.GrantTypes() {
		if g.Served || g.InFrontChannel && slices.ContainsFunc(m.ResponseTypesSupported, isInFrontChannel) {
			m.GrantTypesSupported = append(m.GrantTypesSupported, oidc.GrantType(g.Name))
		}
	}
	m.SubjectTypesSupported = []string{"public", storage.SubjectPairwise}
	m.ACRValuesSupported = storage.ACRValues()
	if !h.Visits.Passkeys.Offered() { // nobody can reach the strongest one
		m.ACRValuesSupported = slices.DeleteFunc(m.ACRValuesSupported, func(acr string) bool { return acr == storage.ACRPhishingResistant })
	}
	m.IDTokenSigningAlgValuesSupported = h.Ring.Algorithms()
	m.UserinfoSigningAlgValuesSupported = h.Ring.Algorithms()
	proofs := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost, oidc.AuthMethodPrivateKeyJWT}
	m.TokenEndpointAuthMethodsSupported = append(slices.Clone(proofs), oidc.AuthMethodNone)
	m.RevocationEndpointAuthMethodsSupported = m.TokenEndpointAuthMethodsSupported
	m.IntrospectionEndpointAuthMethodsSupported = proofs
	m.TokenEndpointAuthSigningAlgValuesSupported = keys.SigningAlgorithms()
	m.RevocationEndpointAuthSigningAlgValuesSupported = keys.SigningAlgorithms()
	m.IntrospectionEndpointAuthSigningAlgValuesSupported = keys.SigningAlgorithms()
	m.RequestParameter = true
	m.RequestObjectSigningAlgValuesSupported = keys.SigningAlgorithms()
	m.CodeChallengeMethodsSupported = []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256}
	m.ClaimTypesSupported = []string{"normal"}
	m.UILocalesSupported = oidc.Locales{language.English} // the language of all pages
	m.ClaimsSupported = flow.ClaimNames()
	body, err = json.Marshal(m)
	if err != nil {
		return nil, "", fmt.Errorf("encode discovery document: %w", err)
	}
	return body, tagOf(body), nil
}

// tagOf returns the ETag of a document.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

func isInFrontChannel(name string) bool {
	t, _ := storage.FindResponseType(name)
	return t.InFrontChannel()
}

func (h *Handler) discoveryBody() ([]byte, string) { return h.discovery, h.discoveryTag }
