package storage

import "slices"

// The grant types that this program knows (RFC 7591, section 2).
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantImplicit          = "implicit"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
)

// GrantType is a grant type. A client can be registered for it.
type GrantType struct {
	Name   string
	Served bool // the token endpoint serves it

	// InFrontChannel: the authorization endpoint serves it, see ResponseType.InFrontChannel.
	InFrontChannel bool

	// ClientsOwn: the token is for the client itself and represents no person. Only clients that
	// authenticate may have such a grant type. The token is valid only while the client has one.
	ClientsOwn bool

	// ByDefault lists the types of clients that get this grant type if they choose none.
	ByDefault []ClientType
}

// grantTypes is the only list of grant types. Registration, the token endpoint, introspection
// and the discovery document use it.
var grantTypes = []GrantType{
	{Name: GrantCode, Served: true, ByDefault: []ClientType{Web, SPA, Native}},
	{Name: GrantRefresh, Served: true, ByDefault: []ClientType{Web, SPA, Native}},
	{Name: GrantImplicit, InFrontChannel: true},
	{Name: GrantClientCredentials, Served: true, ClientsOwn: true, ByDefault: []ClientType{Service}},
	{Name: GrantDevice, Served: true, ByDefault: []ClientType{Native}},
}

// GrantTypes lists the grant types in the order of the discovery document.
func GrantTypes() []GrantType { return slices.Clone(grantTypes) }

// GrantTypeNames lists the names of all grant types.
func GrantTypeNames() []string {
	var names []string
	for _, g := range grantTypes {
		names = append(names, g.Name)
	}
	return names
}

// OwnGrantTypes names the grant types of the client that give it tokens for itself.
func (c Client) OwnGrantTypes() []string {
	var own []string
	for _, g := range grantTypes {
		if g.ClientsOwn && slices.Contains(c.Metadata.GrantTypes, g.Name) {
			own = append(own, g.Name)
		}
	}
	return own
}
