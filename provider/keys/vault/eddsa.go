package vault

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// edDSA is EdDSA on Ed25519 (RFC 8037, section 3.1).
var edDSA = algorithm{
	name: "EdDSA",
	generate: func() (crypto.Signer, error) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	},
	jwk:           edDSAJWK,
	parse:         parseEdDSAJWK,
	sign:          signEdDSA,
	verify:        verifyEdDSA,
	signatureSize: ed25519.SignatureSize,
}

func edDSAJWK(public crypto.PublicKey) (jwk, error) {
	k, ok := public.(ed25519.PublicKey)
	if !ok || len(k) != ed25519.PublicKeySize {
		return jwk{}, fmt.Errorf("a %T is not a key for EdDSA", public)
	}
	doc := jwk{
		Type: "OKP", Use: "sig", Algorithm: "EdDSA", Curve: "Ed25519",
		X: base64.RawURLEncoding.EncodeToString(k),
	}
	doc.ID = thumbprint(`{"crv":"Ed25519","kty":"OKP","x":"` + doc.X + `"}`) // RFC 8037, appendix A.3
	return doc, nil
}

func parseEdDSAJWK(doc jwk) (crypto.PublicKey, error) {
	x, err := base64.RawURLEncoding.Strict().DecodeString(doc.X)
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, errors.New("the point does not have 32 bytes")
	}
	return ed25519.PublicKey(x), nil
}

func signEdDSA(k crypto.Signer, input []byte) ([]byte, error) {
	return k.Sign(rand.Reader, input, crypto.Hash(0))
}

func verifyEdDSA(k crypto.PublicKey, input, signature []byte) bool {
	return ed25519.Verify(k.(ed25519.PublicKey), input, signature)
}
