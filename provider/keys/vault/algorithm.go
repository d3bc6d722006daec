package vault

import "crypto"

// algorithm holds the operations of one signature algorithm. They work on any
// crypto.Signer, so that the private half may be outside this process.
type algorithm struct {
	name     string
	generate func() (crypto.Signer, error)
	// jwk describes a public key that fits the algorithm, and refuses others.
	jwk func(crypto.PublicKey) (jwk, error)
	// parse is the way back.
	parse func(jwk) (crypto.PublicKey, error)
	// sign gives the signature as JWS wants it (RFC 7518, section 3).
	sign func(k crypto.Signer, input []byte) ([]byte, error)
	// verify checks such a signature, its length included.
	verify func(k crypto.PublicKey, input, signature []byte) bool
	// signatureSize in bytes.
	signatureSize int
}
