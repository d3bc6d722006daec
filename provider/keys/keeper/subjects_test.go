package keeper_test

import (
	"errors"
	"testing"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
)

func TestStart_MakesTheSecretOfPairwiseSubjectsOnce(t *testing.T) {
	h := keystest.Open(t, "ES256")
	first, err := h.PairwiseSubject("shop.example", "usr_alice")
	if err != nil || len(first) != 43 {
		t.Fatalf("got %q, %v", first, err)
	}
	again, err := h.OpenAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.PairwiseSubject("shop.example", "usr_alice"); got != first || err != nil {
		t.Errorf("after a restart: got %q, %v, want %q", got, err, first)
	}
	seen := map[string]bool{first: true}
	for _, other := range [][2]string{{"shop.example", "usr_bob"}, {"news.example", "usr_alice"}, {"shop.exampl", "eusr_alice"}} {
		got, err := h.PairwiseSubject(other[0], other[1])
		if err != nil || seen[got] {
			t.Errorf("%v: got %q, %v, want another subject", other, got, err)
		}
		seen[got] = true
	}
	if got, err := keystest.Open(t, "ES256").PairwiseSubject("shop.example", "usr_alice"); got == first || err != nil {
		t.Errorf("another installation has the same subject: %q, %v", got, err)
	}
}

// A server must not make another secret when the stored one does not open: all pairwise subjects
// would change.
func TestStart_SecretOfPairwiseSubjectsThatDoesNotOpenStopsTheStart(t *testing.T) {
	h := keystest.Open(t, "ES256")
	sealed, err := h.DB.SubjectSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, stored := range map[string][]byte{"altered": append(sealed[:len(sealed)-1:len(sealed)-1], sealed[len(sealed)-1]^1), "of another version": {9}, "empty": {}} {
		if err := h.DB.RewrapSubjectSecret(t.Context(), func([]byte) ([]byte, error) { return stored, nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := h.OpenAgain(t, func(*keystest.Config) {}); !errors.Is(err, vault.ErrNotOpened) {
			t.Errorf("%s: got %v, want ErrNotOpened", name, err)
		}
	}
}

func TestPairwiseSubject_NeedsTheSecret(t *testing.T) {
	h := keystest.Open(t, "ES256")
	opened, err := vault.New(h.Config.Vault)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), keys.Config{DB: h.DB, Vault: opened, Issuer: keystest.Issuer, Algorithms: []string{"ES256"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.PairwiseSubject("shop.example", "usr_alice"); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got %v, want ErrNoKey", err)
	}
}
