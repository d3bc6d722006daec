package vault

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// jwk is the public half of a key (RFC 7517). It has no member for a private parameter.
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

// String returns the JSON of the key, as in the JWKS.
func (k jwk) String() string {
	doc, err := json.Marshal(k)
	if err != nil {
		panic(err) // cannot happen: all members are strings
	}
	return string(doc)
}

// thumbprint hashes the required members of a JWK. members must have them in lexicographic
// order and without white space (RFC 7638, section 3).
func thumbprint(members string) string {
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
