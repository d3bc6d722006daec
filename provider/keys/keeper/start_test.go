package keeper_test

import (
	"bytes"
	"slices"
	"testing"

	"signet/provider/keys/keystest"
	"signet/storage"
)

func TestStart_FirstStartGivesEachLineAnActiveAndANextKey(t *testing.T) {
	h := keystest.Open(t)
	states := map[string][]storage.KeyState{}
	for _, row := range h.Rows(t) {
		states[row.Line] = append(states[row.Line], row.State)
		if (row.State == storage.KeyActive) != (row.ActivatedAt == storage.At(keystest.Noon)) || row.CreatedAt != storage.At(keystest.Noon) {
			t.Errorf("%s key: created %d, activated %d", row.State, row.CreatedAt, row.ActivatedAt)
		}
		if (row.Public == "") != (row.Line == storage.InternalLine) {
			t.Errorf("line %s: public half %q", row.Line, row.Public)
		}
	}
	for _, line := range []string{"ES256", "RS256", storage.InternalLine} {
		slices.Sort(states[line])
		if want := []storage.KeyState{storage.KeyActive, storage.KeyNext}; !slices.Equal(states[line], want) {
			t.Errorf("line %s: got %v, want %v", line, states[line], want)
		}
	}
	if got, want := h.Algorithms(), []string{"ES256", "RS256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if err := h.Ready(); err != nil {
		t.Error(err)
	}
}

func TestStart_LaterStartMakesNoKeys(t *testing.T) {
	h := keystest.Open(t, "ES256")
	before := h.JWKS()
	again, err := h.OpenAgain(t, func(*keystest.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if got := again.JWKS(); got.ETag != before.ETag || !bytes.Equal(got.Body, before.Body) {
		t.Errorf("the JWKS changed: %s, then %s", before.Body, got.Body)
	}
	if n := len(h.Rows(t)); n != 4 {
		t.Errorf("%d keys, want 4", n)
	}
}

func TestStart_LineConfiguredLaterGetsItsKeys(t *testing.T) {
	h := keystest.Open(t, "ES256")
	token := h.AccessToken(t, "ES256")
	later, err := h.OpenAgain(t, func(c *keystest.Config) { c.Algorithms = []string{"RS256", "ES256"} })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := later.Algorithms(), []string{"RS256", "ES256"}; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	if _, err := later.VerifyAccess(token, keystest.Noon); err != nil {
		t.Errorf("the line that was there: %v", err)
	}
	if n := len(h.Rows(t)); n != 6 {
		t.Errorf("%d keys, want 6", n)
	}
}
