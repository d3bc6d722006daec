// Package assertion verifies client assertions: signed JWTs by which a client authenticates
// instead of sending a secret (RFC 7521; RFC 7523, sections 2.2 and 3; OIDC Core, section 9).
//
// It owns the reading of an assertion, the rules of its claims, the keys of clients with the
// memory of those that were fetched, and the rule that each assertion is accepted once on all
// nodes. Keys come from the registration of the client or from its jwks_uri. Key material in the
// assertion itself is never used.
//
// The package does not know forms, endpoints, secrets or tokens, and does not answer requests.
package assertion
