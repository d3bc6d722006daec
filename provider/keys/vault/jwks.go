package vault

import (
	"cmp"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
)

// jwk is the public half of a key (RFC 7517). It has no member that could hold a
// private parameter.
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

func (k jwk) String() string {
	doc, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings alone: cannot happen
	}
	return string(doc)
}

// parseJWK reads what jwk.String wrote.
func parseJWK(doc string, alg *algorithm) (crypto.PublicKey, error) {
	var k jwk
	if err := json.Unmarshal([]byte(doc), &k); err != nil {
		return nil, errors.New("the public key is not a JWK")
	}
	return alg.parse(k)
}

// thumbprint hashes the required members of a JWK, given in their lexicographic
// order and without white space (RFC 7638, section 3).
func thumbprint(members string) string {
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// JWKS is a ready JWKS document.
type JWKS struct {
	Body []byte
	ETag string // quoted
}

// JWKS makes the document of the published keys: next, active and retired. The order is
// by algorithm and age, not by state: a rotation that merely promotes a key leaves the
// bytes as they are.
func (s *Set) JWKS() (JWKS, error) {
	keys := s.Published()
	slices.SortFunc(keys, func(a, b *Key) int {
		return cmp.Or(cmp.Compare(a.Row.Line, b.Row.Line),
			cmp.Compare(a.Row.CreatedAt, b.Row.CreatedAt), cmp.Compare(a.Row.ID, b.Row.ID))
	})
	document := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		document.Keys = append(document.Keys, k.document)
	}
	body, err := json.Marshal(document)
	if err != nil {
		return JWKS{}, err
	}
	sum := sha256.Sum256(body)
	return JWKS{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
}
