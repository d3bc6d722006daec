package vault

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

// ps256 is RSASSA-PSS with SHA-256 and 2048 bits (RFC 7518, section 3.5). The salt is as
// long as the hash.
var ps256 = algorithm{
	name:          "PS256",
	generate:      generateRSA,
	jwk:           func(public crypto.PublicKey) (jwk, error) { return rsaJWK("PS256", public) },
	parse:         parseRSAJWK,
	sign:          signPS256,
	verify:        verifyPS256,
	signatureSize: rsaBits / 8,
}

var pss = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

func signPS256(k crypto.Signer, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	return k.Sign(rand.Reader, digest[:], pss)
}

func verifyPS256(k crypto.PublicKey, input, signature []byte) bool {
	digest := sha256.Sum256(input)
	return rsa.VerifyPSS(k.(*rsa.PublicKey), crypto.SHA256, digest[:], signature, pss) == nil
}
