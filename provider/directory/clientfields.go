package directory

import (
	"reflect"
	"slices"
	"time"

	"signet/storage"
)

// ClientField is a field of a client that can be set. Callers offer, accept and show only
// the fields that ClientFields lists.
type ClientField struct {
	// Name is the name in RFC 7591 or OIDC Registration. Fields of Signet's own are spelled in
	// the same way.
	Name string
	// Default is the name of the empty value, "" if it has no name.
	Default string

	at        func(*storage.Client) any
	registers bool // a client that registers itself may set it
}

// ClientFields lists the fields in the order in which callers show them.
func ClientFields() []ClientField { return slices.Clone(clientFields) }

// Words is a list of words that is stored as one text, with spaces between the words.
type Words string

// At returns a pointer to the value of the field in c: a *string, *Words, *[]string, *bool,
// **int64 (seconds), *time.Duration (-1 for none) or *storage.ClientType.
func (f ClientField) At(c *storage.Client) any { return f.at(c) }

// Registers reports whether a client that registers itself may set the field.
func (f ClientField) Registers() bool { return f.registers }

// Empty reports whether the field is not set in c.
func (f ClientField) Empty(c storage.Client) bool {
	if grace, is := f.at(&c).(*time.Duration); is {
		return *grace < 0
	}
	value := reflect.ValueOf(f.at(&c)).Elem()
	return value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0
}

func field[P any](name string, at func(*storage.Client) P) ClientField {
	return ClientField{Name: name, at: func(c *storage.Client) any { return at(c) }}
}

// metadata returns a field of ClientMetadata. Clients that register themselves may set it.
func metadata[P any](name string, at func(*storage.ClientMetadata) P) ClientField {
	return field(name, func(c *storage.Client) P { return at(&c.Metadata) }).registered()
}

// registered marks f as a field that a client may set when it registers itself.
func (f ClientField) registered() ClientField {
	f.registers = true
	return f
}

// Copy copies the value of the field.
func (f ClientField) Copy(to, from *storage.Client) {
	reflect.ValueOf(f.at(to)).Elem().Set(reflect.ValueOf(f.at(from)).Elem())
}

// clientFields is the only table of the fields of clients.
var clientFields = []ClientField{
	field("client_name", func(c *storage.Client) *string { return &c.Name }).registered(),
	field("type", func(c *storage.Client) *storage.ClientType { return &c.Type }),
	metadata("redirect_uris", func(m *storage.ClientMetadata) *[]string { return &m.RedirectURIs }),
	metadata("post_logout_redirect_uris", func(m *storage.ClientMetadata) *[]string { return &m.PostLogoutRedirectURIs }),
	metadata("token_endpoint_auth_method", func(m *storage.ClientMetadata) *string { return &m.TokenEndpointAuthMethod }),
	metadata("token_endpoint_auth_signing_alg", func(m *storage.ClientMetadata) *string { return &m.TokenEndpointAuthAlg }),
	metadata("grant_types", func(m *storage.ClientMetadata) *[]string { return &m.GrantTypes }),
	metadata("response_types", func(m *storage.ClientMetadata) *[]string { return &m.ResponseTypes }),
	metadata("scope", func(m *storage.ClientMetadata) *Words { return (*Words)(&m.Scope) }),
	metadata("client_uri", func(m *storage.ClientMetadata) *string { return &m.ClientURI }),
	metadata("logo_uri", func(m *storage.ClientMetadata) *string { return &m.LogoURI }),
	metadata("policy_uri", func(m *storage.ClientMetadata) *string { return &m.PolicyURI }),
	metadata("tos_uri", func(m *storage.ClientMetadata) *string { return &m.TosURI }),
	metadata("contacts", func(m *storage.ClientMetadata) *[]string { return &m.Contacts }),
	metadata("jwks", func(m *storage.ClientMetadata) *string { return &m.JWKS }),
	metadata("jwks_uri", func(m *storage.ClientMetadata) *string { return &m.JWKSURI }),
	metadata("subject_type", func(m *storage.ClientMetadata) *string { return &m.SubjectType }),
	metadata("sector_identifier_uri", func(m *storage.ClientMetadata) *string { return &m.SectorURI }),
	metadata("id_token_signed_response_alg", func(m *storage.ClientMetadata) *string { return &m.IDTokenSignedResponseAlg }),
	metadata("userinfo_signed_response_alg", func(m *storage.ClientMetadata) *string { return &m.UserinfoSignedAlg }),
	metadata("default_max_age", func(m *storage.ClientMetadata) **int64 { return &m.DefaultMaxAge }),
	metadata("require_auth_time", func(m *storage.ClientMetadata) *bool { return &m.RequireAuthTime }),
	metadata("default_acr_values", func(m *storage.ClientMetadata) *[]string { return &m.DefaultACRValues }),
	metadata("initiate_login_uri", func(m *storage.ClientMetadata) *string { return &m.InitiateLoginURI }),
	metadata("backchannel_logout_uri", func(m *storage.ClientMetadata) *string { return &m.BackchannelLogoutURI }),
	metadata("backchannel_logout_session_required", func(m *storage.ClientMetadata) *bool { return &m.BackchannelLogoutSession }),
	metadata("frontchannel_logout_uri", func(m *storage.ClientMetadata) *string { return &m.FrontchannelLogoutURI }),
	metadata("frontchannel_logout_session_required", func(m *storage.ClientMetadata) *bool { return &m.FrontchannelSession }),
	metadata("require_pushed_authorization_requests", func(m *storage.ClientMetadata) *bool { return &m.RequirePushed }),
	metadata("request_object_signing_alg", func(m *storage.ClientMetadata) *string { return &m.RequestObjectAlg }),
	metadata("require_signed_request_object", func(m *storage.ClientMetadata) *bool { return &m.RequireSignedRequest }),
	metadata("software_id", func(m *storage.ClientMetadata) *string { return &m.SoftwareID }),
	metadata("software_version", func(m *storage.ClientMetadata) *string { return &m.SoftwareVersion }),

	field("first_party", func(c *storage.Client) *bool { return &c.FirstParty }),
	field("skip_consent", func(c *storage.Client) *bool { return &c.SkipConsent }),
	field("introspect", func(c *storage.Client) *bool { return &c.Introspects }),
	field("admin_api", func(c *storage.Client) *bool { return &c.AdminAPI }),
	field("pkce_optional", func(c *storage.Client) *bool { return &c.PKCEOptional }),
	promptLogin,
	field("require_acr", func(c *storage.Client) *string { return &c.RequireACR }),
	field("unverified_email", func(c *storage.Client) *bool { return &c.UnverifiedEmail }),
	field("claims_in_id_token", func(c *storage.Client) *bool { return &c.Metadata.ClaimsInIDToken }),
	field("resources", func(c *storage.Client) *[]string { return &c.Resources }),
	field("audiences", func(c *storage.Client) *[]string { return &c.Audiences }),
	field("allow_origins", func(c *storage.Client) *[]string { return &c.Origins }),
	field("refresh_grace", func(c *storage.Client) *time.Duration { return &c.RefreshGrace }),
}

var promptLogin = ClientField{Name: "prompt_login", Default: "strict", at: func(c *storage.Client) any { return &c.PromptLogin }}

// WithoutEffect lists the fields of a stored client that have no effect with the settings of this
// server. Other settings accepted them.
func (d *Directory) WithoutEffect(c storage.Client) []string {
	var names []string
	for _, f := range clientFields {
		off := !d.frontchannelLogout && slices.Contains(frontchannelFields, f.Name)
		if off && !f.Empty(c) {
			names = append(names, f.Name)
		}
	}
	return names
}
