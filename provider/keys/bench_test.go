package keys_test

import (
	"fmt"
	"testing"

	"signet/provider/keys/keystest"
)

func BenchmarkSignAccess(b *testing.B) {
	h := open(b, "ES256")
	b.ReportAllocs()
	for b.Loop() {
		h.AccessToken(b, "ES256")
	}
}

// BenchmarkVerifyAccess measures tokens that are verified for the first time, and a token
// that is in the cache.
func BenchmarkVerifyAccess(b *testing.B) {
	h := open(b, "ES256")
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		tokens := make([]string, 0, 1<<14)
		for range cap(tokens) { // more than the cache holds
			content := keystest.AccessContent()
			content.ID = fmt.Sprint(len(tokens)) // equal contents have equal tokens, because ES256 is deterministic
			token, err := h.SignAccess("ES256", content)
			if err != nil {
				b.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		i := 0
		for b.Loop() {
			if _, err := h.VerifyAccess(tokens[i%len(tokens)], noon); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		token := h.AccessToken(b, "ES256")
		for b.Loop() {
			if _, err := h.VerifyAccess(token, noon); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	h := open(b, "ES256")
	b.ReportAllocs()
	for b.Loop() {
		h.SealedMessage(b, "request")
	}
}

func BenchmarkUnseal(b *testing.B) {
	h := open(b, "ES256")
	message := h.SealedMessage(b, "request")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Unseal("request", message, noon); err != nil {
			b.Fatal(err)
		}
	}
}
