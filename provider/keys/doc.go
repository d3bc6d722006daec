// Package keys is the ring: it generates, seals, publishes and uses the keys of
// Signet, and is the only place where a token or a sealed message is made or opened.
//
// There is one verifier per kind of token, and each gives a Go type of its own:
// no function here parses "any JWT". Beside the published lines, one per
// algorithm, runs the internal line of secrets, which is never published.
// Signers and the JWKS bytes are built once per change.
//
// A key is next (published, not signing), active, retired (published while a token
// of it may live), then gone: its private half is destroyed and the public one serves
// id_token_hint alone. A revoked key is refused everywhere, and a next key already
// verifies: another node may have seen its promotion first.
//
// The private half of a published key is in its row, sealed, or in a Module outside
// this process (PKCS #11), with only a sealed reference in the row. It is destroyed when
// the key is gone or revoked, there as well as here.
//
// A Keeper changes the life of keys; a Ring has one and lets it work on a schedule
// (RotateOnce), the command line has one of its own. Whatever may happen once is
// decided by one conditional write, so any number of them may try.
//
// The package does not know clients, users, grants or HTTP.
package keys
