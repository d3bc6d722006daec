package keys

import (
	"crypto"
	"maps"
	"slices"
)

// algorithm is what a published line needs to know of its signature algorithm. It
// works on any crypto.Signer, so that the private half may one day live outside
// this process.
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

// algorithms there are. A published line bears the name of its algorithm.
var algorithms = map[string]*algorithm{
	es256.name: &es256,
	edDSA.name: &edDSA,
	ps256.name: &ps256,
	rs256.name: &rs256,
}

func algorithmNames() []string { return slices.Sorted(maps.Keys(algorithms)) }
