package foreign_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/federation/foreign"
)

// signedBy returns a JWS that go-jose signs.
func signedBy(t *testing.T, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	made, err := signer.Sign([]byte(`{"sub":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// algorithmsOfPair lists the algorithms of each key pair.
var algorithmsOfPair = map[string][]jose.SignatureAlgorithm{
	"RSA": {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}, "P-256": {jose.ES256}, "P-384": {jose.ES384},
	"P-521": {jose.ES512}, "Ed25519": {jose.EdDSA},
}

// TestVerify_AgreesWithAnotherLibrary: a token that go-jose signs verifies with its key and no other
// key. It does not verify if a bit has changed.
func TestVerify_AgreesWithAnotherLibrary(t *testing.T) {
	keys := map[string]foreign.Key{}
	for name, pair := range pairs() {
		key, err := foreign.ReadKey(pair.public)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	for name, algorithms := range algorithmsOfPair {
		for _, algorithm := range algorithms {
			text := signedBy(t, algorithm, pairs()[name].private, map[jose.HeaderKey]any{"x5c": 5, "jwk": "none", "kid": "k"})
			signed, err := foreign.ReadJWS(text)
			if err != nil || signed.KeyID != "k" || signed.Algorithm != string(algorithm) || string(signed.Payload) != `{"sub":"a"}` {
				t.Fatalf("%s: %+v, %v", algorithm, signed, err)
			}
			for other, key := range keys {
				if key.Verify(signed) != (other == name) {
					t.Errorf("%s: verified by %s: %v", algorithm, other, other != name)
				}
			}
			for at := range 3 {
				parts := strings.Split(text, ".")
				raw := decoded(parts[at])
				raw[len(raw)/2] ^= 1
				parts[at] = b64(raw)
				if changed, err := foreign.ReadJWS(strings.Join(parts, ".")); err == nil && keys[name].Verify(changed) {
					t.Errorf("%s: part %d was changed, and it is verified", algorithm, at)
				}
			}
			named := keys[name]
			if named.Algorithm = "ES256K"; named.Verify(signed) {
				t.Errorf("%s: verified by a key for another algorithm", algorithm)
			}
			if named = keys[name]; named.Use != "enc" {
				if named.Use = "enc"; named.Verify(signed) {
					t.Errorf("%s: verified by a key for encryption", algorithm)
				}
			}
			if signed.VerifyHMAC([]byte("secret")) {
				t.Errorf("%s: verified by a secret", algorithm)
			}
		}
	}
}

func TestVerifyHMAC(t *testing.T) {
	secret := []byte(strings.Repeat("secret", 11))
	for _, algorithm := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		signed, err := foreign.ReadJWS(signedBy(t, algorithm, secret, nil))
		if err != nil || !signed.VerifyHMAC(secret) || signed.VerifyHMAC(secret[1:]) || signed.VerifyHMAC(nil) {
			t.Errorf("%s: %+v, %v", algorithm, signed, err)
		}
	}
}

// TestVerifyHMAC_OnlySymmetricAlgorithms: a valid HMAC does not verify if alg names another
// algorithm.
func TestVerifyHMAC_OnlySymmetricAlgorithms(t *testing.T) {
	secret := []byte("a secret of more than thirty-two bytes")
	for _, algorithm := range []string{"RS256", "ES256", "PS256", "none", "", "hs256", "EdDSA", "HS"} {
		input := b64([]byte(`{"alg":"`+algorithm+`"}`)) + ".e30"
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		signed, err := foreign.ReadJWS(input + "." + b64(mac.Sum(nil)))
		if err != nil || signed.VerifyHMAC(secret) {
			t.Errorf("%s: %+v, %v", algorithm, signed, err)
		}
	}
}

func TestReadJWS_InvalidHeadersAreRefused(t *testing.T) {
	for _, header := range []string{
		``, `null`, `[]`, `"a"`, `{`, `{"alg":1}`, `{"alg":["ES256"]}`, `{"alg":"ES256","alg":"none"}`, `{"alg":"ES256","ALG":"none"}`,
		`{"alg":"ES256","kid":1}`, `{"alg":"ES256","kid":"\ud800"}`, `{"alg":"ES256","crit":[]}`, `{"alg":"ES256","crit":null}`, `{"alg":"ES256","crit":["exp"]}`,
	} {
		if signed, err := foreign.ReadJWS(b64([]byte(header)) + ".e30.AAAA"); err == nil {
			t.Errorf("%s: %+v", header, signed)
		}
	}
}

func TestHashOf(t *testing.T) {
	want := map[string]crypto.Hash{"EdDSA": crypto.SHA512, "Ed25519": crypto.SHA512, "none": 0, "": 0, "XS256": 0, "HS255": 0, "ES256K": 0, "RS1": 0}
	for _, family := range []string{"HS", "RS", "PS", "ES"} {
		want[family+"256"], want[family+"384"], want[family+"512"] = crypto.SHA256, crypto.SHA384, crypto.SHA512
	}
	for algorithm, hash := range want {
		if got := foreign.HashOf(algorithm); got != hash {
			t.Errorf("%s: got %v, want %v", algorithm, got, hash)
		}
	}
}
