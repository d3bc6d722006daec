// Package openssl signs with RSA keys in the libcrypto of OpenSSL 3, which takes a third to
// two thirds of the time of crypto/rsa. It finds, checks and loads the library at run time.
//
// The rule: a signature leaves this package only if crypto/rsa has verified it, and signing
// never fails because of the library. After its first error, and after its first wrong
// signature, the library is not called again to sign: crypto/rsa signs from then on, and
// Failure tells why. Only a crash of the library cannot be caught.
//
// The library is loaded by an absolute path that only root can change, not by the search of
// the dynamic linker. It reads no configuration of OpenSSL: no openssl.cnf, no engine, no
// provider module. So its FIPS provider is not used either.
//
// The package works only in programs built with cgo for Linux; see Built. It does not know
// rows, states of keys, tokens, settings or events.
package openssl
