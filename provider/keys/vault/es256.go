package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// es256 is ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4).
var es256 = algorithm{
	name: "ES256",
	generate: func() (crypto.Signer, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	},
	jwk:           es256JWK,
	parse:         parseES256JWK,
	sign:          signES256,
	verify:        verifyES256,
	signatureSize: 64,
}

func es256JWK(public crypto.PublicKey) (jwk, error) {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return jwk{}, fmt.Errorf("a %T is not a key for ES256", public)
	}
	point, err := k.Bytes() // 4 ‖ x ‖ y
	if err != nil {
		return jwk{}, err
	}
	doc := jwk{
		Type: "EC", Use: "sig", Algorithm: "ES256", Curve: "P-256",
		X: base64.RawURLEncoding.EncodeToString(point[1:33]),
		Y: base64.RawURLEncoding.EncodeToString(point[33:]),
	}
	doc.ID = thumbprint(`{"crv":"P-256","kty":"EC","x":"` + doc.X + `","y":"` + doc.Y + `"}`)
	return doc, nil
}

func parseES256JWK(doc jwk) (crypto.PublicKey, error) {
	x, errX := base64.RawURLEncoding.Strict().DecodeString(doc.X)
	y, errY := base64.RawURLEncoding.Strict().DecodeString(doc.Y)
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	if len(x) != 32 || len(y) != 32 {
		return nil, errors.New("a coordinate does not have 32 bytes")
	}
	point := append(append([]byte{4}, x...), y...)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

// signES256 returns the signature as r ‖ s; a crypto.Signer returns ASN.1. Without a source
// of randomness the signature depends only on key and input (RFC 6979), as RFC 8725,
// section 3.2, recommends: a weak random number cannot reveal the key. It is also a fifth
// faster.
func signES256(k crypto.Signer, input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var r, s []byte
	sequence, whole := cryptobyte.String(der), cryptobyte.String(nil)
	if !sequence.ReadASN1(&whole, asn1.SEQUENCE) || !sequence.Empty() ||
		!whole.ReadASN1Integer(&r) || !whole.ReadASN1Integer(&s) || !whole.Empty() ||
		len(r) > 32 || len(s) > 32 {
		return nil, errors.New("the signer did not return an ECDSA signature")
	}
	raw := make([]byte, 64)
	copy(raw[32-len(r):32], r)
	copy(raw[64-len(s):], s)
	return raw, nil
}

func verifyES256(k crypto.PublicKey, input, signature []byte) bool {
	if len(signature) != 64 {
		return false
	}
	digest := sha256.Sum256(input)
	// At most 2 + 2×(2 + 33) bytes of ASN.1 around the two numbers.
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, 72))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addUnsigned(b, signature[:32])
		addUnsigned(b, signature[32:])
	})
	der, err := b.Bytes()
	return err == nil && ecdsa.VerifyASN1(k.(*ecdsa.PublicKey), digest[:], der)
}

// addUnsigned appends a big-endian number as a minimal ASN.1 INTEGER.
func addUnsigned(b *cryptobyte.Builder, number []byte) {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) {
		if number[0]&0x80 != 0 {
			b.AddUint8(0)
		}
		b.AddBytes(number)
	})
}
