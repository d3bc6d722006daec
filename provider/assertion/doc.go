// Package assertion verifies the JWTs that clients sign: client assertions, by which a client
// authenticates instead of sending a secret (RFC 7521; RFC 7523, sections 2.2 and 3; OIDC Core,
// section 9), and request objects, which carry the parameters of an authorization request (RFC
// 9101; OIDC Core, section 6.1). Instead of an assertion of its own, a client may present a token that
// a foreign issuer has given to its workload.
//
// It owns the reading of these JWTs, the rules of their claims, the keys of clients and issuers with
// the memory of those that were fetched, the rule that a JWT serves one purpose, and the rule that
// each assertion of a client's own is accepted once on all nodes. Tokens of workloads are valid until
// they expire. Keys come from the registration of the client, from its jwks_uri, or from an issuer
// that an administrator has named for the client. Key material in the JWT itself is never used.
//
// The package does not know endpoints, secrets, tokens of ours or the values of parameters, and does
// not answer requests.
package assertion
