// Package pkcs11 stores signing keys in a token of a PKCS #11 module (version 2.40 or
// newer), such as a hardware security module. It makes, uses and destroys key pairs in the
// token. A private half never leaves the token: it is made sensitive and not extractable.
//
// A reference to a key is a PKCS #11 URI (RFC 7512) with the label of the token and the
// CKA_ID of the key. If the token was removed and inserted again, the next call opens it
// again. A refused PIN is not tried again, since a token locks itself after some attempts.
//
// The package works only in programs built with cgo and -tags pkcs11; see Built. It does
// not know rows, states, OpenID Connect tokens or settings.
package pkcs11
