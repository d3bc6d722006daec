package keeper_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// An algorithm is retired in a running system: its tokens are valid until they expire, then
// its keys are gone, and it can begin again.
func TestRetire_AlgorithmEndsAndBeginsAgain(t *testing.T) {
	h := keystest.Open(t, "ES256", "EdDSA")
	token, hint := h.AccessToken(t, "EdDSA"), h.IDToken(t, "EdDSA")
	if err := h.Retire(t.Context(), "EdDSA", storage.By{At: keystest.Noon}); !errors.Is(err, keeper.ErrStillConfigured) {
		t.Errorf("while it is configured: got %v, want ErrStillConfigured", err)
	}
	later, err := h.OpenAgain(t, func(c *keystest.Config) { c.Algorithms = []string{"ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if err := later.Retire(t.Context(), "EdDSA", storage.By{At: keystest.Noon}); err != nil {
		t.Fatal(err)
	}
	if err := later.ReloadOnce(t.Context(), keystest.Noon); err != nil {
		t.Fatal(err)
	}
	if _, err := later.VerifyAccess(token, keystest.Noon); err != nil {
		t.Errorf("a token that has not expired: %v", err)
	}
	live(t, later, keystest.Noon, keystest.Noon.Add(20*time.Minute)) // 15 minutes until the last token expires, plus 5
	if states := h.States(t, "EdDSA"); states[storage.KeyGone] != 2 || len(states) != 1 {
		t.Errorf("%v, want two keys that are gone", states)
	}
	if _, err := later.VerifyAccess(token, keystest.Noon); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("afterwards: got %v, want ErrInvalid", err)
	}
	if _, err := later.VerifyIDTokenHint(hint, keystest.Noon); err != nil {
		t.Errorf("its ID token as a hint: %v", err)
	}
	anew, err := h.OpenAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := anew.Ready(); err != nil {
		t.Errorf("configured again: %v", err)
	}
	if err := later.Retire(t.Context(), "PS256", storage.By{At: keystest.Noon}); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a line that is not there: got %v, want ErrNotFound", err)
	}
}
