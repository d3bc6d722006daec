package openssl

import (
	"crypto"
	"crypto/sha256"
)

// Scheme returns the scheme of the options.
func Scheme(opts crypto.SignerOpts) scheme {
	s, _ := schemeOf(make([]byte, sha256.Size), opts)
	return s
}

// SignUnverified signs in the library without the verification, to measure its cost.
func (s *Signer) SignUnverified(digest []byte, scheme scheme) ([]byte, error) {
	return s.key.sign(digest, scheme)
}
