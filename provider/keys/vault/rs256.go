package vault

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

const (
	rsaBits     = 2048
	rsaExponent = 65537
)

// rs256 is RSASSA-PKCS1-v1_5 with SHA-256 and 2048 bits (RFC 7518, section 3.3).
var rs256 = algorithm{
	name:          "RS256",
	generate:      generateRSA,
	jwk:           func(public crypto.PublicKey) (jwk, error) { return rsaJWK("RS256", public) },
	parse:         parseRSAJWK,
	sign:          signRS256,
	verify:        verifyRS256,
	signatureSize: rsaBits / 8,
}

func generateRSA() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

func rsaJWK(alg string, public crypto.PublicKey) (jwk, error) {
	k, ok := public.(*rsa.PublicKey)
	if !ok || k.N.BitLen() != rsaBits || k.E != rsaExponent {
		return jwk{}, fmt.Errorf("a %T of this size is not a key for %s", public, alg)
	}
	doc := jwk{
		Type: "RSA", Use: "sig", Algorithm: alg,
		N: base64.RawURLEncoding.EncodeToString(k.N.Bytes()),
		E: base64.RawURLEncoding.EncodeToString(big.NewInt(rsaExponent).Bytes()),
	}
	doc.ID = thumbprint(`{"e":"` + doc.E + `","kty":"RSA","n":"` + doc.N + `"}`)
	return doc, nil
}

func parseRSAJWK(doc jwk) (crypto.PublicKey, error) {
	n, errN := base64.RawURLEncoding.Strict().DecodeString(doc.N)
	e, errE := base64.RawURLEncoding.Strict().DecodeString(doc.E)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	if !bytes.Equal(e, big.NewInt(rsaExponent).Bytes()) {
		return nil, errors.New("the exponent is not 65537")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: rsaExponent}, nil
}

func signRS256(k crypto.Signer, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	return k.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func verifyRS256(k crypto.PublicKey, input, signature []byte) bool {
	digest := sha256.Sum256(input)
	return rsa.VerifyPKCS1v15(k.(*rsa.PublicKey), crypto.SHA256, digest[:], signature) == nil
}
