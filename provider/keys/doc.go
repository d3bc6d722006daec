// Package keys is the ring: it generates, seals, publishes and uses the keys of
// Signet, and is the only place where a token or a sealed message is made or opened.
//
// There is one verifier per kind of token, and each gives a Go type of its own:
// no function here parses "any JWT". Beside the published lines, one per
// algorithm, runs the internal line of secrets, which is never published.
// Signers and the JWKS bytes are built once per change.
//
// The package does not know clients, users, grants or HTTP.
package keys
