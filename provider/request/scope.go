package request

import (
	"slices"
	"strings"

	"signet/storage"
)

// Scopes for data of an end-user: see storage.PersonalScopes.
const (
	ScopeOpenID        = storage.ScopeOpenID
	ScopeProfile       = storage.ScopeProfile
	ScopeEmail         = storage.ScopeEmail
	ScopeAddress       = storage.ScopeAddress
	ScopePhone         = storage.ScopePhone
	ScopeRoles         = storage.ScopeRoles
	ScopeGroups        = storage.ScopeGroups
	ScopeOfflineAccess = storage.ScopeOfflineAccess
)

// ScopeNames lists all of them, in the order of the discovery document.
var ScopeNames = storage.PersonalScopes()

// ScopeClaims lists the claims that each scope releases (OIDC Core, section 5.4).
var ScopeClaims = map[string][]string{
	ScopeProfile: {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	},
	ScopeEmail:   {"email", "email_verified"},
	ScopeAddress: {"address"},
	ScopePhone:   {"phone_number", "phone_number_verified"},
	ScopeRoles:   {"roles"},
	ScopeGroups:  {"groups"},
}

// MayAsk reports whether the scope exists and the client may have it. A client registered
// without the scope member may have every scope (OIDC Registration is silent; RFC 7591,
// section 2, leaves the default to the server). offline_access needs the grant type
// refresh_token (OIDC Core, section 11).
func MayAsk(client storage.Client, scope string) bool {
	if !slices.Contains(ScopeNames, scope) {
		return false
	}
	if scope == ScopeOfflineAccess && !slices.Contains(client.Metadata.GrantTypes, storage.GrantRefresh) {
		return false
	}
	if client.Metadata.Scope == "" {
		return true
	}
	for registered := range strings.FieldsSeq(client.Metadata.Scope) { // no allocation: called for each scope of each request
		if registered == scope {
			return true
		}
	}
	return false
}

// mayAskClaim reports whether the client may request this claim individually: if a scope
// that the client may have releases it, or no scope does.
func mayAskClaim(client storage.Client, name string) bool {
	scope := ScopeOf(name)
	return scope == "" || MayAsk(client, scope)
}

// ScopeOf returns the scope that releases the claim; "" for claims that describe the
// sign-in.
func ScopeOf(claim string) string {
	for scope, names := range ScopeClaims {
		if slices.Contains(names, claim) {
			return scope
		}
	}
	return ""
}
