package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

var errBroken = errors.New("connection broke")

// RT-24: revocation after a replay happens in one transaction. The test breaks each
// statement of the replay in turn. Either the whole revocation is done, or nothing is
// done and the next replay does it.
func TestRotateGrant_RevocationIsWholeOrNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		recorder, err := w.Record(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		broken := 0
		for statement := 1; ; statement++ {
			s := w.signIn(t, w.user.ID, storage.NewID("handle"), "", noon)
			r := w.redemption(storage.NewID("request"), "code", noon)
			r.Grant.SessionID, r.Grant.FirstParty = s.ID, true
			g := w.redeem(t, r, noon)
			replay := func() error {
				_, err := w.RotateGrant(t.Context(), storage.GrantRotation{
					GrantID: g.ID, Generation: 2, ClientID: w.client.ID,
				}, func(storage.Grant) error { return nil }, noon)
				return err
			}
			before := len(w.events(t))
			recorder.BreakAt(statement, errBroken)
			err := replay()
			unbroken := recorder.BreakAt(0, nil)
			if !errors.Is(err, storage.ErrReplayed) {
				if err == nil {
					t.Fatalf("statement %d failed, but the replay was accepted", statement)
				}
				broken++
				w.wantAlive(t, g.ID, noon)
				if got := len(w.events(t)); got != before {
					t.Fatalf("statement %d failed: %d events of the undone revocation are stored", statement, got-before)
				}
				wantError(t, "the next replay", replay(), storage.ErrReplayed)
			}
			w.wantDead(t, g.ID, noon)
			if _, _, err := w.SessionByHandle(t.Context(), s.HandleHash, noon.Add(time.Second)); !errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("statement %d: the session is valid after the replay: %v", statement, err)
			}
			if got := len(w.events(t)); got != before+2 {
				t.Fatalf("statement %d: %d events, want one for the session and one for the grant", statement, got-before)
			}
			if unbroken {
				break
			}
			// After a failure the writer has opened another connection.
			if recorder, err = w.Record(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if w.backend.Name == "postgres" && broken < 4 {
			t.Errorf("only %d statements failed", broken)
		}
	})
}
