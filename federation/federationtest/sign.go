package federationtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
)

// key signs ID tokens.
type key struct {
	id  string
	alg string // RS256 or ES256
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

// oneRSA is made once in a program: a new one takes a tenth of a second.
var oneRSA = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("make RSA key: %v", err))
	}
	return k
})

func newKey(alg string) key {
	if alg == "RS256" {
		return key{id: rand.Text()[:16], alg: alg, rsa: oneRSA()}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("make P-256 key: %v", err))
	}
	return key{id: rand.Text()[:16], alg: "ES256", ec: k}
}

// jwk is the public half (RFC 7517).
func (k key) jwk() map[string]any {
	if k.rsa != nil {
		return map[string]any{
			"kty": "RSA", "use": "sig", "alg": k.alg, "kid": k.id,
			"n": encode(k.rsa.N.Bytes()), "e": encode(big.NewInt(int64(k.rsa.E)).Bytes()),
		}
	}
	point, err := k.ec.PublicKey.Bytes()
	if err != nil {
		panic(fmt.Sprintf("encode public key: %v", err))
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "use": "sig", "alg": k.alg, "kid": k.id, "x": encode(point[1:33]), "y": encode(point[33:])}
}

// publicPEM is what an attacker has of the key, as text.
func (k key) publicPEM() []byte {
	var public any
	if k.rsa != nil {
		public = &k.rsa.PublicKey
	} else {
		public = &k.ec.PublicKey
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(fmt.Sprintf("encode public key: %v", err))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (k key) header() map[string]any {
	return map[string]any{"alg": k.alg, "kid": k.id, "typ": "JWT"}
}

// sign makes a JWS of header and payload (RFC 7515, section 7.1), by whatever
// method is named.
func (k key) sign(header map[string]any, payload, secret []byte) string {
	head, err := json.Marshal(header)
	if err != nil {
		panic(fmt.Sprintf("encode header: %v", err))
	}
	input := encode(head) + "." + encode(payload)
	sum := sha256.Sum256([]byte(input))
	switch alg := header["alg"]; {
	case alg == "none":
		return input + "."
	case alg == "HS256":
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + encode(mac.Sum(nil))
	case k.rsa != nil:
		signature, err := rsa.SignPKCS1v15(rand.Reader, k.rsa, crypto.SHA256, sum[:])
		if err != nil {
			panic(fmt.Sprintf("sign: %v", err))
		}
		return input + "." + encode(signature)
	}
	r, s, err := ecdsa.Sign(rand.Reader, k.ec, sum[:])
	if err != nil {
		panic(fmt.Sprintf("sign: %v", err))
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + encode(signature[:])
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
