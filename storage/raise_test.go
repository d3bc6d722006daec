package storage_test

import (
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// A second factor alone raises the session of its browser. auth_time and the way of the first proof
// stay. Without that session, it opens none, and nobody raises the session of another browser.
//
// MF-16: acr and amr claim no more than happened.
func TestSignIn_SecondFactorRaisesSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		added, id := w.addTOTP(t, w.session, "handle", noon)
		w.exec(t, `UPDATE sessions SET acr = ?, amr = ? WHERE id = ?`, storage.ACROneFactor, `["pwd"]`, added.ID)
		raise := func(replaces, handle string, at int64) storage.SignIn {
			s := w.secondSignIn(w.user.ID, handle, storage.FactorUse{CredentialID: id, Step: at})
			s.Replaces, s.Raises, s.AMR = replaces, true, []string{"otp", "mfa"}
			return s
		}
		later := noon.Add(time.Minute)
		for name, s := range map[string]storage.SignIn{
			"no session": raise("", "a", step+1), "an unknown session": raise("unknown", "b", step+1),
		} {
			if _, err := w.SignIn(t.Context(), s, later); err == nil {
				t.Errorf("%s: a session starts with a second factor alone", name)
			} else {
				wantError(t, name, err, storage.ErrRevoked)
			}
		}
		got, err := w.SignIn(t.Context(), raise("handle", "raised", step+1), later)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != added.ID || got.ACR != storage.ACRTwoFactors || !slices.Equal(got.AMR, []string{"pwd", "otp", "mfa"}) || got.AuthTime != added.AuthTime || got.Identity != added.Identity {
			t.Errorf("raised session %+v, before %+v", got, added)
		}
		_, err = w.SignIn(t.Context(), raise("raised", "again", step+1), later)
		wantError(t, "the same code", err, storage.ErrReplayed)
		if err := w.EndSession(t.Context(), w.user.ID, got.ID, "signed_out", storage.By{At: later}); err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn(t.Context(), raise("raised", "late", step+2), later)
		wantError(t, "a session that has ended", err, storage.ErrRevoked)
	})
}
