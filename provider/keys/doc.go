// Package keys is the ring: it uses the keys of Signet, and is the only place where a
// token or a sealed message is made or opened.
//
// There is one verifier per kind of token, and each gives a Go type of its own:
// no function here parses "any JWT". Beside the published lines, one per
// algorithm, runs the internal line of secrets, which is never published.
// Look-up tables and the JWKS bytes are built once per change of the keys.
//
// A next key already verifies: another node may have seen its promotion first. A gone
// key verifies id_token_hint alone, and a revoked one nothing.
//
// A Ring cannot change the life of a key: package keeper makes, rotates and revokes
// them, and the ring follows. Package vault below it holds the keys themselves: how they
// are made, sealed at rest and opened. Package pkcs11 lets a hardware module hold them.
//
// The package does not know clients, users, grants or HTTP.
package keys
