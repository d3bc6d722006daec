package keeper_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// readable is the number of bytes of a JWKS that the most careful relying parties read.
const readable = 16 << 10

// Forced rotations are refused before the JWKS becomes longer than relying parties read, even
// with all algorithms. The error says when a rotation is possible again, and it is possible
// then. Revocation always works.
func TestRotate_JWKSStaysReadable(t *testing.T) {
	lines := []string{"ES256", "RS256", "EdDSA", "PS256"}
	h := keystest.Open(t, lines...)
	// Rotations are a second apart, so that each retired key ends at another time.
	rotate := func(at time.Time) (err error) {
		_, err = h.Rotate(t.Context(), nil, 0, storage.By{From: storage.Origin{Actor: "cli"}, At: at})
		return errors.Join(err, h.ReloadOnce(t.Context(), at))
	}
	at := keystest.Noon
	for range 9 {
		at = at.Add(time.Second)
		if err := rotate(at); err != nil {
			t.Fatal(err)
		}
	}
	var refused *keeper.TooManyRetiredError
	if err := rotate(at); !errors.As(err, &refused) || refused.Retired != 9 {
		t.Fatalf("the tenth rotation: %v", err)
	}
	if n := len(h.JWKS().Body); n > readable {
		t.Errorf("the JWKS has %d bytes, of which relying parties read %d", n, readable)
	}
	if want := keystest.Noon.Add(time.Second + 20*time.Minute); !refused.Until.Equal(want) { // when the last token of the first retired key expires, plus the margin
		t.Errorf("a rotation is possible at %s, want %s", refused.Until, want)
	}
	before := len(h.Rows(t))
	if err := rotate(refused.Until.Add(-time.Millisecond)); !errors.As(err, &refused) || len(h.Rows(t)) != before {
		t.Errorf("a moment too early: %v", err)
	}
	if _, err := h.Rotate(t.Context(), []string{storage.InternalLine}, 0, storage.By{At: keystest.Noon.Add(time.Hour)}); err != nil {
		t.Errorf("the internal line, which is not published: %v", err)
	}
	for _, state := range []storage.KeyState{storage.KeyActive, storage.KeyNext} {
		if _, err := h.Revoke(t.Context(), h.Kid(t, "ES256", state), "leaked", storage.By{From: storage.Origin{Actor: "cli"}, At: at}); err != nil {
			t.Errorf("revoking the %s key: %v", state, err)
		}
	}
	if err := rotate(refused.Until); err != nil {
		t.Errorf("at the time in the error: %v", err)
	}
	if n := len(h.JWKS().Body); n > readable {
		t.Errorf("the JWKS has %d bytes", n)
	}
}

// Tokens are valid for a day and keys sign for an hour: the schedule waits until retired keys
// are gone.
func TestRotateOnce_WaitsWhileTooManyKeysAreRetired(t *testing.T) {
	h := keystest.Open(t, "ES256")
	fast, err := h.OpenAgain(t, func(c *keystest.Config) {
		c.Life = keeper.Life{RotateEvery: time.Hour, PublishBefore: time.Minute, Tokens: day}
	})
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for at := keystest.Noon; at.Before(keystest.Noon.Add(3 * day)); at = at.Add(30 * time.Minute) {
		run(t, fast, at)
		most = max(most, h.States(t, "ES256")[storage.KeyRetired])
	}
	if most != 9 {
		t.Errorf("%d retired keys were published at once, want 9", most)
	}
	if n := count(t, h, storage.KeyAlarm); n != 0 {
		t.Errorf("%d alarms", n)
	}
	if count(t, h, storage.KeyRotated) < 20 {
		t.Errorf("%d rotations in three days", count(t, h, storage.KeyRotated))
	}
}
