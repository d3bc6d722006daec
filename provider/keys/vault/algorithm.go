package vault

import "crypto"

// algorithm has the operations of one signature algorithm. They work with any
// crypto.Signer, so the private half may be outside this process.
type algorithm struct {
	name     string
	generate func() (crypto.Signer, error)
	// jwk returns the JWK of a public key. It refuses keys that do not fit the algorithm.
	jwk func(crypto.PublicKey) (jwk, error)
	// parse returns the public key of a JWK.
	parse func(jwk) (crypto.PublicKey, error)
	// sign returns a signature in JWS format (RFC 7518, section 3).
	sign func(k crypto.Signer, input []byte) ([]byte, error)
	// verify checks a signature in JWS format, and its length.
	verify        func(k crypto.PublicKey, input, signature []byte) bool
	signatureSize int // bytes
}
