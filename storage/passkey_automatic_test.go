package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// A passkey that a browser made by itself is as strong as the session. It ends nothing, and the owner of
// the account is told.
func TestAddAutomaticPasskey_EndsNothing(t *testing.T) {
	for acr, proven := range map[string]bool{storage.ACROneFactor: false, storage.ACRTwoFactors: true} {
		eachWorld(t, func(t *testing.T, w *world) {
			w.proveAddress(t, w.user.ID)
			by := w.signIn(t, w.user.ID, "by", "", noon)
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, acr, by.ID)
			before, err := w.SessionsOf(t.Context(), w.user.ID, noon)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.AddAutomaticPasskey(t.Context(), w.addition("p", by.ID), noon); err != nil {
				t.Fatal(err)
			}
			p, _, err := w.PasskeyByHandle(t.Context(), "p")
			if err != nil || !p.Detail.Automatic || p.ProvenAt != 0 != proven || p.Kind != storage.FactorPasskey {
				t.Errorf("%s: %+v, %v", acr, p, err)
			}
			after, err := w.SessionsOf(t.Context(), w.user.ID, noon)
			if err != nil || len(after) != len(before) || len(after) < 2 {
				t.Errorf("%d sessions before, %d after, %v", len(before), len(after), err)
			}
			if w.mailTo(t, storage.MailPasskeyMade, w.user.Email) == nil {
				t.Error("the owner of the account got no mail")
			}
			list, err := w.Events(t.Context(), storage.EventFilter{}, 1)
			if err != nil || len(list) != 1 || list[0].Type != storage.PasskeyAdded || list[0].Reason != storage.ConditionalCreate || list[0].SessionID != by.ID {
				t.Errorf("events %+v, %v", list, err)
			}
		})
	}
}

// Each refusal leaves no passkey.
func TestAddAutomaticPasskey_Refuses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.createUser(t, "bob@example.com")
		theirs := w.signIn(t, other.ID, "theirs", "", noon)
		refuse := func(what string, want error, a storage.PasskeyAddition, at time.Time) {
			t.Helper()
			if err := w.AddAutomaticPasskey(t.Context(), a, at); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
		refuse("old session", storage.ErrNotFresh, w.addition("p", w.session.ID), noon.Add(2*time.Minute))
		refuse("session of another user", storage.ErrRevoked, w.addition("p", theirs.ID), noon)
		used := w.addition("q", theirs.ID)
		used.UserID = other.ID
		if err := w.AddAutomaticPasskey(t.Context(), used, noon); err != nil {
			t.Fatal(err)
		}
		again := w.addition("p", w.session.ID)
		again.ChallengeID = used.ChallengeID
		refuse("used challenge", storage.ErrReplayed, again, noon)
		taken := w.addition("q", w.session.ID)
		taken.ChallengeID = "another"
		refuse("passkey of another user", storage.ErrConflict, taken, noon)
		elsewhere := w.addition("p", w.session.ID)
		elsewhere.Passkey.RPID = "other.example.com"
		refuse("another RP ID", storage.ErrOtherRPID, elsewhere, noon)
		if list, err := w.PasskeysOf(t.Context(), w.user.ID); err != nil || len(list) != 0 {
			t.Errorf("%d passkeys, %v", len(list), err)
		}
		if err := w.AddAutomaticPasskey(t.Context(), w.addition("p", w.session.ID), noon); err != nil {
			t.Fatal(err)
		}
		refuse("second passkey", storage.ErrConflict, w.addition("r", w.session.ID), noon)
	})
}
