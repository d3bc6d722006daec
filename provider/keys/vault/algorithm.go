package vault

import (
	"crypto"
	"fmt"
	"maps"
	"slices"

	"signet/storage"
)

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

// algorithms by name. A published line has the name of its algorithm.
var algorithms = map[string]*algorithm{
	es256.name: &es256,
	edDSA.name: &edDSA,
	ps256.name: &ps256,
	rs256.name: &rs256,
}

// Knows reports whether this program can make and use keys of a line.
func Knows(line string) bool { return line == storage.InternalLine || algorithms[line] != nil }

// PublishedLines checks the names of the algorithms that are configured; none stands
// for ES256 and RS256.
func PublishedLines(names []string) ([]string, error) {
	if len(names) == 0 {
		return []string{"ES256", "RS256"}, nil
	}
	for i, name := range names {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("unknown signing algorithm %q: use one of %v", name, slices.Sorted(maps.Keys(algorithms)))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("signing algorithm %q is named twice", name)
		}
	}
	return slices.Clone(names), nil
}
