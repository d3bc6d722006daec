package keys_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// A node accepts a token of another node at once, even if it has not read the key yet.
func TestKeys_UnknownKeyIsReadAtOnce(t *testing.T) {
	h := open(t, "ES256")
	other, err := h.openAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	// Rotate twice, so that other has never read the key that signs.
	for _, lines := range [][]string{{"ES256", storage.InternalLine}, {"ES256"}} {
		if _, err := h.Rotate(t.Context(), lines, 0, storage.By{At: noon.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	token := h.AccessToken(t, "ES256")
	if _, err := other.VerifyAccess(token, noon); err != nil {
		t.Errorf("got %v, want it taken", err)
	}
}

func TestKeys_FloodOfUnknownKidsCostsOneReadPerSecond(t *testing.T) {
	h := open(t, "ES256")
	now := noon
	flooded, err := h.openAgain(t, func(c *keystest.Config) { c.Now = func() time.Time { return now } })
	if err != nil {
		t.Fatal(err)
	}
	foreign := open(t, "ES256")
	tokens := []string{foreign.AccessToken(t, "ES256"), foreign.RefreshToken(t), foreign.IDToken(t, "ES256"), foreign.SealedMessage(t, "request")}
	reads, _ := h.DB.Calls()
	const seconds, each = 3, 200
	for range seconds {
		now = now.Add(time.Second)
		for i := range each {
			token := tokens[i%len(tokens)]
			for _, err := range []error{
				errorOf(flooded.VerifyAccess(token, noon)), errorOf(flooded.OpenRefresh(token, noon)),
				errorOf(flooded.VerifyIDTokenHint(token, noon)), errorOf(flooded.Unseal("request", token, noon)),
			} {
				if !errors.Is(err, keys.ErrInvalid) {
					t.Fatalf("got %v, want ErrInvalid", err)
				}
			}
		}
	}
	if r, _ := h.DB.Calls(); r-reads != seconds {
		t.Errorf("%d reads in %d seconds", r-reads, seconds)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// If a reload finds unchanged keys, the ring keeps its signers and its cache of verified
// tokens.
func TestReloadOnce_UnchangedKeysRebuildNothing(t *testing.T) {
	h := open(t, "RS256")
	token := h.AccessToken(t, "RS256")
	if err := openAccess(h, token); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprintf("%p", &h.JWKS().Body[0])
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%p", &h.JWKS().Body[0]); after != before {
		t.Error("the key set was built again")
	}
}
