package federationtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // registers the hashes of the algorithms
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// key signs tokens.
type key struct {
	id  string
	alg string // one of signingAlgorithms
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

// signingAlgorithms lists the algorithms that newKey supports.
var signingAlgorithms = []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// sharedRSAKey is generated once per process, because each takes a tenth of a second.
var sharedRSAKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("make RSA key: %v", err))
	}
	return k
})

func newKey(alg string) key {
	k := key{id: rand.Text()[:16], alg: alg}
	var err error
	switch {
	case curves[alg] != nil:
		k.ec, err = ecdsa.GenerateKey(curves[alg], rand.Reader)
	case alg == "EdDSA":
		_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.rsa = sharedRSAKey()
	}
	if err != nil {
		panic(fmt.Sprintf("make key for %s: %v", alg, err))
	}
	return k
}

// NewPublicJWK returns the public key, as a JWK, of a new key pair for that algorithm.
func NewPublicJWK(alg string) map[string]any { return newKey(alg).jwk() }

func (k key) public() any {
	switch {
	case k.rsa != nil:
		return &k.rsa.PublicKey
	case k.ec != nil:
		return &k.ec.PublicKey
	}
	return k.ed.Public()
}

// jwk returns the public key as a JWK (RFC 7517).
func (k key) jwk() map[string]any {
	jwk := map[string]any{"use": "sig", "alg": k.alg, "kid": k.id}
	switch {
	case k.rsa != nil:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", encode(k.rsa.N.Bytes()), encode(big.NewInt(int64(k.rsa.E)).Bytes())
	case k.ec != nil:
		point, err := k.ec.PublicKey.Bytes()
		if err != nil {
			panic(fmt.Sprintf("encode public key: %v", err))
		}
		half := len(point) / 2
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", k.ec.Params().Name, encode(point[1:1+half]), encode(point[1+half:])
	default:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", encode(k.ed.Public().(ed25519.PublicKey))
	}
	return jwk
}

// publicPEM returns the public key in PEM form, which an attacker also has.
func (k key) publicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.public())
	if err != nil {
		panic(fmt.Sprintf("encode public key: %v", err))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (k key) header() map[string]any {
	return map[string]any{"alg": k.alg, "kid": k.id, "typ": "JWT"}
}

// hashes maps the number in an algorithm's name to its hash function (RFC 7518, section 3.1).
var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

func hashOf(alg string) crypto.Hash {
	if alg == "EdDSA" || len(alg) != 5 {
		return crypto.SHA512
	}
	return hashes[alg[2:]]
}

func digest(h crypto.Hash, text string) []byte {
	sum := h.New()
	sum.Write([]byte(text))
	return sum.Sum(nil)
}

// halfHash returns the at_hash of an access token for an ID token by that algorithm.
func halfHash(alg any, access string) string {
	sum := digest(hashOf(fmt.Sprint(alg)), access)
	return encode(sum[:len(sum)/2])
}

// sign makes a JWS of header and payload (RFC 7515, section 7.1). For the alg none and HS… it
// follows the header; for all others it signs by the key's own algorithm.
func (k key) sign(header map[string]any, payload, secret []byte) string {
	head, err := json.Marshal(header)
	if err != nil {
		panic(fmt.Sprintf("encode header: %v", err))
	}
	return k.signText(header["alg"], encode(head)+"."+encode(payload), secret)
}

func (k key) signText(alg any, input string, secret []byte) string {
	name, _ := alg.(string)
	switch {
	case name == "none":
		return input + "."
	case strings.HasPrefix(name, "HS") && hashOf(name) != 0:
		mac := hmac.New(hashOf(name).New, secret)
		mac.Write([]byte(input))
		return input + "." + encode(mac.Sum(nil))
	}
	signature, err := k.signature(input)
	if err != nil {
		panic(fmt.Sprintf("sign: %v", err))
	}
	return input + "." + encode(signature)
}

func (k key) signature(input string) ([]byte, error) {
	h := hashOf(k.alg)
	switch {
	case k.ed != nil:
		return ed25519.Sign(k.ed, []byte(input)), nil
	case k.rsa != nil && strings.HasPrefix(k.alg, "PS"):
		return rsa.SignPSS(rand.Reader, k.rsa, h, digest(h, input), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case k.rsa != nil:
		return rsa.SignPKCS1v15(rand.Reader, k.rsa, h, digest(h, input))
	}
	r, s, err := ecdsa.Sign(rand.Reader, k.ec, digest(h, input))
	if err != nil {
		return nil, err
	}
	size := (k.ec.Params().BitSize + 7) / 8
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
