package storage

import "slices"

// The grant types that this program knows (RFC 7591, section 2).
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
)

// GrantType is a grant type that a client can be registered for, if it is served.
type GrantType struct {
	Name   string
	Served bool // the token endpoint serves it

	// ClientsOwn: its token is the client's own and stands for no person. Only a client
	// that authenticates may have such a grant type, and the token is good only while the
	// client has one.
	ClientsOwn bool

	// ByDefault lists the types of clients that may use it unless they choose others. None
	// for a grant type that is not served: a client would be told what it cannot do.
	ByDefault []ClientType
}

// grantTypes is the one list of grant types: of registration, of the token endpoint, of
// introspection and of the discovery document.
var grantTypes = []GrantType{
	{Name: GrantCode, Served: true, ByDefault: []ClientType{Web, SPA, Native}},
	{Name: GrantRefresh, Served: true, ByDefault: []ClientType{Web, SPA, Native}},
	{Name: GrantClientCredentials, Served: true, ClientsOwn: true, ByDefault: []ClientType{Service}},
	{Name: GrantDevice},
}

// GrantTypes lists the grant types, in the order in which discovery names them.
func GrantTypes() []GrantType { return slices.Clone(grantTypes) }

// GrantTypeNames names all of them.
func GrantTypeNames() []string {
	var names []string
	for _, g := range grantTypes {
		names = append(names, g.Name)
	}
	return names
}

// GrantTypeServed reports whether the token endpoint serves the grant type of that name.
func GrantTypeServed(name string) bool {
	return slices.ContainsFunc(grantTypes, func(g GrantType) bool { return g.Name == name && g.Served })
}

// OwnGrantTypes names the grant types of the client that give it tokens of its own.
func (c Client) OwnGrantTypes() []string {
	var own []string
	for _, g := range grantTypes {
		if g.ClientsOwn && slices.Contains(c.Metadata.GrantTypes, g.Name) {
			own = append(own, g.Name)
		}
	}
	return own
}
