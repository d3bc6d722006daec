package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"signet/provider/keys/keystest"
)

// BenchmarkJOSE_BesideGoJOSE compares the ring with go-jose on one ES256 access token:
// docs/decisions.md has the figures. The ring verifies each token for the first time.
func BenchmarkJOSE_BesideGoJOSE(b *testing.B) {
	h := open(b, "ES256")
	token := h.AccessToken(b, "ES256")
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		b.Fatal(err)
	}
	var claims map[string]any
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		b.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "a-key-id-of-43-characters-like-a-thumbprint-")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		b.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sign/ring", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.AccessToken(b, "ES256")
		}
	})
	b.Run("sign/go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			signed, err := signer.Sign(payload)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := signed.CompactSerialize(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify/ring", func(b *testing.B) {
		b.ReportAllocs()
		tokens := make([]string, 0, 1<<14)
		for i := range cap(tokens) { // more than the cache of verified tokens holds
			access := keystest.AccessContent()
			access.ID = strconv.Itoa(i)
			signed, err := h.SignAccess("ES256", access)
			if err != nil {
				b.Fatal(err)
			}
			tokens = append(tokens, signed)
		}
		i := 0
		for b.Loop() {
			if _, err := h.VerifyAccess(tokens[i%len(tokens)], noon); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("verify/go-jose", func(b *testing.B) {
		b.ReportAllocs()
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				b.Fatal(err)
			}
			var standard jwt.Claims
			var own struct {
				Scope, JTI, GID string
			}
			if err := parsed.Claims(set, &standard, &own); err != nil {
				b.Fatal(err)
			}
		}
	})
}
