package storage

import "slices"

// The scopes that concern an end-user: those of OIDC Core, sections 5.4 and 11, and two of
// Signet.
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopeAddress       = "address"
	ScopePhone         = "phone"
	ScopeRoles         = "roles"
	ScopeGroups        = "groups"
	ScopeOfflineAccess = "offline_access"
)

var personalScopes = []string{
	ScopeOpenID, ScopeProfile, ScopeEmail, ScopeAddress, ScopePhone, ScopeRoles, ScopeGroups,
	ScopeOfflineAccess,
}

// PersonalScopes lists the scopes that concern an end-user, in the order of the discovery
// document. A sign-in gives a client no other scopes.
func PersonalScopes() []string { return slices.Clone(personalScopes) }
