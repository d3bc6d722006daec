// Package vault holds the keys themselves. It makes key pairs and secrets, seals their
// private halves under the master key, opens the rows of the database, and returns the
// public halves as JWKs. A private half may also be in a Module outside this process
// (PKCS #11). Then the row holds a sealed reference.
//
// The rule: a private half leaves this package only as a crypto.Signer or in a sealed box.
// A public half is used only if a box that is sealed under the master key confirms it. Gone
// keys are the exception: they only verify id_token_hint.
//
// The package does not know tokens, messages, users or HTTP. It does not decide which key
// signs or for how long, and it runs no SQL: it takes and returns rows.
package vault
