package storage

import (
	"slices"
	"strings"
)

// The scopes of the administration API.
const (
	ScopeAdminRead    = "signet:read"    // reads everything except mails, and of factors only kind and name
	ScopeAdminUsers   = "signet:users"   // reads and changes users
	ScopeAdminClients = "signet:clients" // reads and changes clients, but none with AdminAPI
	ScopeAdminKeys    = "signet:keys"    // reserved for operations on keys
	ScopeAdminAll     = "signet:admin"   // does all of this, and what the other scopes may not
)

// adminScopePrefix is the beginning of the scopes of the administration API. No other scope may
// begin with it.
const adminScopePrefix = "signet:"

var adminScopes = []string{ScopeAdminRead, ScopeAdminUsers, ScopeAdminClients, ScopeAdminKeys, ScopeAdminAll}

// AdminScopes lists the scopes of the administration API. Only clients with AdminAPI get them.
func AdminScopes() []string { return slices.Clone(adminScopes) }

// IsAdminScope reports whether a scope belongs to the administration API. It also reports true for
// unknown scopes with the same prefix.
func IsAdminScope(scope string) bool { return strings.HasPrefix(scope, adminScopePrefix) }

// AdminAudience returns the audience of the administration API of an issuer (RFC 8707).
func AdminAudience(issuer string) string { return issuer + "/admin/api" }

// ConsoleClientID returns the client_id in the access tokens that people with a role of administration
// get for the administration API. No client can have it: it is a URL.
func ConsoleClientID(issuer string) string { return issuer + "/admin" }
