// Package keys is the ring of signing keys and secrets. It is the only place that makes and
// opens tokens and sealed messages.
//
// There is one verifier for each kind of token, and each returns its own Go type: no
// function here parses "any JWT". A published line of keys exists for each algorithm. The
// internal line of secrets is never published. Look-up tables and the JWKS bytes are built
// once per change of the keys.
//
// A next key already verifies, because another node may have seen its promotion first. A
// gone key verifies only id_token_hint. A revoked key verifies nothing.
//
// Tokens of this issuer are not made or read with go-jose. A header that is not byte for
// byte one of the ready headers never reaches a parser, and signing and verifying allocate
// less. docs/decisions.md has the reasons and the figures. Tests check every kind of token
// against go-jose.
//
// A Ring cannot change the state of a key: package keeper makes, rotates and revokes keys,
// and the ring follows. Package vault holds the keys themselves: it makes, seals and opens
// them. Package pkcs11 lets a hardware module hold them.
//
// The package does not know clients, users, grants or HTTP.
package keys
