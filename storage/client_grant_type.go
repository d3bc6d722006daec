package directory

import (
	"slices"

	"signet/storage"
)

// GrantType is a grant type that a client can be registered for (RFC 7591, section 2).
type GrantType struct {
	Name   string
	Served bool // the token endpoint serves it

	// byDefault lists the types of clients that may use it unless they choose others.
	byDefault []storage.ClientType
}

// grantTypes is the one list of grant types: of registration, of the token endpoint and
// of the discovery document.
var grantTypes = []GrantType{
	{storage.GrantCode, true, []storage.ClientType{storage.Web, storage.SPA, storage.Native}},
	{storage.GrantRefresh, true, []storage.ClientType{storage.Web, storage.SPA, storage.Native}},
	{storage.GrantClientCredentials, true, []storage.ClientType{storage.Service}},
	{storage.GrantDevice, false, []storage.ClientType{storage.Native}},
}

// GrantTypes lists the grant types, in the order in which discovery names them.
func GrantTypes() []GrantType { return slices.Clone(grantTypes) }

func grantTypeNames() []string {
	var names []string
	for _, g := range grantTypes {
		names = append(names, g.Name)
	}
	return names
}
