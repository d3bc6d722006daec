package keys_test

import (
	"maps"
	"testing"

	"signet/provider/keys"
	"signet/storage"
)

// Tokens are signed before and after a rotation. Signing a token neither reads the database
// nor makes a signer.
func TestSigners_AreMadeOncePerKey(t *testing.T) {
	h := open(t)
	tokens := func() {
		t.Helper()
		signers := keys.Signers(h.Ring)
		reads, writes := h.DB.Calls()
		for range 50 {
			h.AccessToken(t, "ES256")
			h.RefreshToken(t)
			h.SealedMessage(t, "request")
		}
		h.IDToken(t, "RS256")
		if r, w := h.DB.Calls(); r != reads || w != writes || !maps.Equal(keys.Signers(h.Ring), signers) {
			t.Errorf("%d reads, %d writes, signers %v, before %v", r-reads, w-writes, keys.Signers(h.Ring), signers)
		}
	}
	reload := func(want int) {
		t.Helper()
		if err := h.ReloadOnce(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if got := len(keys.Signers(h.Ring)); got != want {
			t.Errorf("%d signers, want %d", got, want)
		}
	}
	tokens()
	if _, err := h.Rotate(t.Context(), nil, 0, storage.By{At: noon}); err != nil {
		t.Fatal(err)
	}
	tokens()  // before this node has seen it
	reload(6) // three of each algorithm
	tokens()
	before := keys.Signers(h.Ring)
	reload(6)
	if !maps.Equal(keys.Signers(h.Ring), before) {
		t.Error("a reload of the same keys made signers")
	}
}
