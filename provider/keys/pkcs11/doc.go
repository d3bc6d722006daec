// Package pkcs11 keeps signing keys in a token of a PKCS #11 module (version 2.40 or
// newer), such as a hardware security module. It makes key pairs there, signs with
// them there and destroys them there; a private half never leaves the token, and is
// made so that the token would refuse to give it.
//
// A key is named by a PKCS #11 URI (RFC 7512) with the label of the token and CKA_ID.
// When the token was away, it is opened again by the next call; a PIN that was refused
// is not tried again, since tokens lock themselves.
//
// It works in programs that are built with cgo and -tags pkcs11; see Built. The package
// does not know rows, states, tokens of OpenID Connect or settings.
package pkcs11
