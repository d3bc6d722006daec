package openssl

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
)

// keyBits is the only size of keys that the library signs with.
const keyBits = 2048

// scheme is a way to sign a SHA-256 hash with an RSA key.
type scheme int

const (
	pkcs1v15 scheme = iota // RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2)
	pss                    // RSASSA-PSS with a salt as long as the hash (RFC 8017, section 8.1)
	schemes                // number of schemes
)

// schemeOf returns the scheme that the caller asks for. It returns false if only crypto/rsa
// knows it.
func schemeOf(digest []byte, opts crypto.SignerOpts) (scheme, bool) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return 0, false
	}
	padding, isPSS := opts.(*rsa.PSSOptions)
	if !isPSS {
		return pkcs1v15, true
	}
	return pss, padding.SaltLength == rsa.PSSSaltLengthEqualsHash || padding.SaltLength == crypto.SHA256.Size()
}

func (s scheme) verifies(k *rsa.PublicKey, digest, signature []byte) bool {
	if s == pss {
		return rsa.VerifyPSS(k, crypto.SHA256, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, signature) == nil
}

// Signer signs with an RSA key. It implements crypto.Signer and is safe for concurrent use.
type Signer struct {
	engine  *Engine
	private *rsa.PrivateKey // signs when the library does not
	key     *key            // nil: the library does not have the key
}

// Signer returns the signer of a key. The library holds a copy of the key until the garbage
// collector finds that nothing refers to the signer any more; so no signature can use a key
// that was freed.
func (e *Engine) Signer(private *rsa.PrivateKey) *Signer {
	s := &Signer{engine: e, private: private}
	if e.Failure() != nil || private.N.BitLen() != keyBits {
		return s
	}
	der := x509.MarshalPKCS1PrivateKey(private)
	parsed, err := e.library.parse(der)
	clear(der)
	if err != nil {
		e.fail(LibraryError, err)
		return s
	}
	s.key = parsed
	runtime.AddCleanup(s, (*key).free, parsed)
	return s
}

// Public returns the public half.
func (s *Signer) Public() crypto.PublicKey { return s.private.Public() }

// Sign implements crypto.Signer. The library makes signatures of SHA-256 hashes, crypto/rsa
// all others.
func (s *Signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if scheme, ok := schemeOf(digest, opts); ok {
		if signature := s.signInLibrary(digest, scheme); signature != nil {
			return signature, nil
		}
	}
	return s.private.Sign(random, digest, opts)
}

// errWrongSignature is the error of a signature that crypto/rsa does not verify.
var errWrongSignature = errors.New("the library returned a signature that the public key does not verify")

// signInLibrary returns a verified signature. It returns nil if the library is switched off
// or must be switched off now.
func (s *Signer) signInLibrary(digest []byte, scheme scheme) []byte {
	if s.key == nil || s.engine.Failure() != nil {
		return nil
	}
	signature, err := s.key.sign(digest, scheme)
	runtime.KeepAlive(s) // the cleanup frees the key
	if err != nil {
		s.engine.fail(LibraryError, err)
		return nil
	}
	if !scheme.verifies(&s.private.PublicKey, digest, signature) {
		s.engine.fail(WrongSignature, errWrongSignature)
		return nil
	}
	return signature
}
