package keeper_test

import (
	"errors"
	"testing"
	"time"

	"signet/provider/keys/keeper"
	"signet/provider/keys/keystest"
	"signet/storage"
)

// readable is how much of a JWKS the most careful relying parties read, in bytes.
const readable = 16 << 10

// Rotations by force, and a schedule that outruns the tokens, end before the JWKS gets
// longer than relying parties read, with every algorithm there is. The refusal says when
// it will do, and it does then; revoking stays possible.
func TestRotate_JWKSStaysReadable(t *testing.T) {
	lines := []string{"ES256", "RS256", "EdDSA", "PS256"}
	h := keystest.Open(t, lines...)
	// A second between them: each retired key has a time of its own to go.
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
	var crowded *keeper.TooManyRetiredError
	if err := rotate(at); !errors.As(err, &crowded) || crowded.Retired != 9 {
		t.Fatalf("the tenth rotation: %v", err)
	}
	if n := len(h.JWKS().Body); n > readable {
		t.Errorf("the JWKS has %d bytes, of which relying parties read %d", n, readable)
	}
	if want := keystest.Noon.Add(time.Second + 20*time.Minute); !crowded.Until.Equal(want) { // the first retired key's last token, and the margin
		t.Errorf("it will do at %s, want %s", crowded.Until, want)
	}
	before := len(h.Rows(t))
	if err := rotate(crowded.Until.Add(-time.Millisecond)); !errors.As(err, &crowded) || len(h.Rows(t)) != before {
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
	if err := rotate(crowded.Until); err != nil {
		t.Errorf("at the time that the refusal named: %v", err)
	}
	if n := len(h.JWKS().Body); n > readable {
		t.Errorf("the JWKS has %d bytes", n)
	}
}

// Tokens that live for a day under keys that sign for an hour: the schedule waits for
// retired keys to go.
func TestRotateOnce_WaitsWhileRetiredKeysCrowdTheJWKS(t *testing.T) {
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
