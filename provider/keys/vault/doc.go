// Package vault holds the keys themselves. It makes pairs and secrets, seals their
// private halves at rest under the master key, opens the rows of the database and
// describes the public halves (JWK). A private half may also be in a Module outside
// this process (PKCS #11); its row then holds a sealed reference.
//
// The rule: no private half leaves this package but as a crypto.Signer or inside a
// sealed box, and a public half counts only if the master key vouches for it.
//
// The package does not know tokens, messages, users or HTTP, it does not decide which
// key signs or for how long, and it runs no SQL: rows come in and go out.
package vault
