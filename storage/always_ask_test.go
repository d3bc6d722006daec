package storage_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// provenPasskey adds a proven passkey of the world's user. It returns the passkey and a session that
// began with it.
func (w *world) provenPasskey(t testing.TB, handle string, sessionID string, at time.Time) (storage.Passkey, storage.Session) {
	t.Helper()
	w.addPasskey(t, handle, sessionID, at)
	w.exec(t, `UPDATE credentials SET proven_at = 1 WHERE handle = ?`, handle)
	p, _, err := w.PasskeyByHandle(t.Context(), handle)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.SignIn(t.Context(), w.useOf(p, "sign in with "+handle, 4), at)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// alwaysAsk returns the change of the choice in a session, with one recovery code.
func (w *world) alwaysAsk(s storage.Session, on bool) storage.AlwaysAskChange {
	return storage.AlwaysAskChange{FactorChange: w.factorChange(s, storage.NewID("h")), On: on, Codes: [][]byte{[]byte("code 0")}}
}

// mustAlwaysAsk switches the choice on or off and returns the new session.
func (w *world) mustAlwaysAsk(t testing.TB, s storage.Session, on bool, at time.Time) storage.Session {
	t.Helper()
	s, _, err := w.SetAlwaysAsk(t.Context(), w.alwaysAsk(s, on), at)
	if err != nil {
		t.Fatalf("set always ask to %v: %v", on, err)
	}
	return s
}

// A user who chose it is asked for the passkey, or a recovery code, after a password. A sign-in with the
// passkey is enough. The choice ends everything else, as a new factor does, and can be taken back.
func TestSetAlwaysAsk_AsksForThePasskeyAtEachSignIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		offline := w.offlineGrant(t, "offline", noon)
		key, session := w.provenPasskey(t, "k", w.session.ID, noon)
		w.signIn(t, w.user.ID, "password alone", "", noon)
		on, newCodes, err := w.SetAlwaysAsk(t.Context(), w.alwaysAsk(session, true), noon)
		if err != nil || !newCodes || on.ID == session.ID || on.ACR != storage.ACRPhishingResistant {
			t.Fatalf("session %+v, codes stored %v, %v, want a new session of the same proof and codes", on, newCodes, err)
		}
		for _, handle := range []string{session.HandleHash, "password alone"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, noon)
			wantError(t, handle, err, storage.ErrNotFound)
		}
		w.wantDead(t, offline.ID, noon)
		if _, _, err := w.SetAlwaysAsk(t.Context(), w.alwaysAsk(on, true), noon); err == nil {
			t.Error("it was switched on twice")
		}
		has, err := w.SecondFactorsOf(t.Context(), w.user.ID)
		if err != nil || !has.Any() || !has.AlwaysAsk || len(has.Passkeys) != 1 || len(has.Codes) != 1 {
			t.Errorf("factors %+v, %v", has, err)
		}
		if _, err := w.SignIn(t.Context(), w.signInOf(w.user.ID, "half", ""), noon); !isDue(err) {
			t.Errorf("a password alone: %v, want a FactorDueError", err)
		}
		s, err := w.SignIn(t.Context(), w.keySignIn(w.user.ID, "with the passkey", keyUse(key, "c", 5)), noon)
		if err != nil || s.ACR != storage.ACRPhishingResistant {
			t.Errorf("a password and the passkey: %+v, %v", s, err)
		}
		if _, err := w.SignIn(t.Context(), w.useOf(key, "again", 6), noon); err != nil {
			t.Errorf("the passkey alone: %v", err)
		}
		code, err := w.SignIn(t.Context(), w.secondSignIn(w.user.ID, "with a code", storage.FactorUse{CodeHash: []byte("code 0")}), noon)
		if err != nil || code.ACR != storage.ACRTwoFactors {
			t.Errorf("a password and a recovery code: %+v, %v", code, err)
		}
		off := w.mustAlwaysAsk(t, on, false, noon)
		if _, err := w.SignIn(t.Context(), w.signInOf(w.user.ID, "one factor", ""), noon); err != nil {
			t.Errorf("a password after it was switched off: %v", err)
		}
		if _, _, err := w.SetAlwaysAsk(t.Context(), w.alwaysAsk(off, false), noon); err == nil {
			t.Error("it was switched off twice")
		}
		wantEvents(t, w, w.user.ID, storage.AlwaysAskChanged, 2)
		for _, kind := range []storage.MailKind{storage.MailAlwaysAskOn, storage.MailAlwaysAskOff} {
			if n := w.count(t, `outbox WHERE kind = 'mail' AND user_id = ? AND message LIKE ?`, w.user.ID, "%"+string(kind)+"%"); n != 1 {
				t.Errorf("%d mails %s, want 1", n, kind)
			}
		}
		var oldest int64
		if err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&oldest).Error }); err != nil || oldest != 22 {
			t.Errorf("oldest program %d, %v, want 22", oldest, err)
		}
	})
}

// A stolen session that is old, weak or over changes nothing, in either direction. A user without a
// proven passkey of this host cannot choose it.
func TestSetAlwaysAsk_NeedsAFreshSessionWithThePasskey(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world, s storage.Session)
		on      bool
		after   time.Duration
		want    error
	}{
		"on in an old session":  {on: true, after: 6 * time.Minute, want: storage.ErrNotFresh},
		"off in an old session": {after: 6 * time.Minute, want: storage.ErrNotFresh},
		"on with one factor": {on: true, want: storage.ErrNotFresh, prepare: func(t *testing.T, w *world, s storage.Session) {
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACROneFactor, s.ID)
		}},
		"off with one factor": {want: storage.ErrNotFresh, prepare: func(t *testing.T, w *world, s storage.Session) {
			w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACROneFactor, s.ID)
		}},
		"ended session": {on: true, want: storage.ErrRevoked, prepare: func(t *testing.T, w *world, s storage.Session) {
			if err := w.SignOutEverywhere(t.Context(), w.user.ID, "x", storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
		}},
		"unproven passkey": {on: true, want: storage.ErrNotFound, prepare: func(t *testing.T, w *world, _ storage.Session) {
			w.exec(t, `UPDATE credentials SET proven_at = 0 WHERE kind = 'webauthn'`)
		}},
		"passkey of another host": {on: true, want: storage.ErrNotFound, prepare: func(t *testing.T, w *world, _ storage.Session) {
			w.exec(t, `UPDATE credentials SET rp_id = 'other.example.com' WHERE kind = 'webauthn'`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				_, s := w.provenPasskey(t, "k", w.session.ID, noon)
				if !c.on {
					s = w.mustAlwaysAsk(t, s, true, noon)
				}
				if c.prepare != nil {
					c.prepare(t, w, s)
				}
				_, newCodes, err := w.SetAlwaysAsk(t.Context(), w.alwaysAsk(s, c.on), noon.Add(c.after))
				wantError(t, "change", err, c.want)
				u, err := w.User(t.Context(), w.user.ID)
				if err != nil || newCodes || (u.AlwaysAskAt != 0) == c.on {
					t.Errorf("always asks since %d, %v", u.AlwaysAskAt, err)
				}
			})
		})
	}
}

// The choice ends with the last proven passkey, so nobody is asked for a factor that is gone. An undo
// of a changed address brings back what the owner had chosen, unless the passkeys are gone for ever.
func TestSetAlwaysAsk_EndsWithTheLastProvenPasskey(t *testing.T) {
	by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
	// change moves the address of the user and returns the undo link.
	change := func(t *testing.T, w *world, s storage.Session) (storage.LinkRef, storage.Session) {
		next := w.mustChange(t, w.user, s, "thief@example.com", noon)
		return w.undoLink(t, w.user.Email, noon), next
	}
	undo := func(t *testing.T, w *world, link storage.LinkRef) error { return w.undo(t, link, w.user, noon) }
	for name, c := range map[string]struct {
		off  bool // the owner has not chosen it
		act  func(t *testing.T, w *world, p storage.Passkey, s storage.Session) error
		asks bool
	}{
		"last passkey removed": {act: func(t *testing.T, w *world, p storage.Passkey, s storage.Session) error {
			r := removal(w.user.ID, p, s.ID)
			r.Connectors = []string{"google"}
			return w.RemovePasskey(t.Context(), r, noon)
		}},
		"one of two removed": {asks: true, act: func(t *testing.T, w *world, p storage.Passkey, s storage.Session) error {
			s = w.addPasskey(t, "second", s.ID, noon)
			w.exec(t, `UPDATE credentials SET proven_at = 1 WHERE handle = 'second'`)
			return w.RemovePasskey(t.Context(), removal(w.user.ID, p, s.ID), noon)
		}},
		"factors reset": {act: func(t *testing.T, w *world, _ storage.Passkey, _ storage.Session) error {
			_, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID}, by)
			return err
		}},
		"evicted": {act: func(t *testing.T, w *world, _ storage.Passkey, _ storage.Session) error {
			w.exec(t, `UPDATE users SET email_verified = ? WHERE id = ?`, false, w.user.ID)
			_, err := w.GrantAdmin(t.Context(), w.user.ID, storage.Administrator, storage.EvictAttached, by)
			return err
		}},
		"switched off by a thief, undone": {asks: true, act: func(t *testing.T, w *world, _ storage.Passkey, s storage.Session) error {
			link, s := change(t, w, s)
			w.mustAlwaysAsk(t, s, false, noon)
			return undo(t, w, link)
		}},
		"switched on by a thief, undone": {off: true, act: func(t *testing.T, w *world, _ storage.Passkey, s storage.Session) error {
			link, s := change(t, w, s)
			w.mustAlwaysAsk(t, s, true, noon)
			return undo(t, w, link)
		}},
		"factors reset, undone": {act: func(t *testing.T, w *world, _ storage.Passkey, s storage.Session) error {
			link, _ := change(t, w, s)
			if _, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: w.user.ID}, by); err != nil {
				return err
			}
			return undo(t, w, link)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				p, s := w.provenPasskey(t, "k", w.session.ID, noon)
				w.user, _ = w.User(t.Context(), w.user.ID)
				if !c.off {
					s = w.mustAlwaysAsk(t, s, true, noon)
				}
				if err := c.act(t, w, p, s); err != nil {
					t.Fatal(err)
				}
				u, err := w.User(t.Context(), w.user.ID)
				if err != nil || (u.AlwaysAskAt != 0) != c.asks {
					t.Errorf("always asks since %d, %v, want it %v", u.AlwaysAskAt, err, c.asks)
				}
			})
		})
	}
}

// A browser that is trusted without the second factor contradicts the choice: it counts no more, and no
// other becomes one.
func TestSetAlwaysAsk_TrustsNoBrowser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		strong, app := w.addTOTP(t, w.session, "new handle", noon)
		_, s := w.provenPasskey(t, "k", strong.ID, noon)
		s = w.mustAlwaysAsk(t, s, true, noon)
		w.trust(t, app, "home", step+1, noon)
		if _, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), noon); !isDue(err) {
			t.Errorf("%v, want a FactorDueError", err)
		}
		w.mustAlwaysAsk(t, s, false, noon)
		w.trust(t, app, "home", step+2, noon)
		if _, err := w.trustedSignIn(t, w.user.ID, browserKey("home"), noon); err != nil {
			t.Errorf("after it was switched off: %v", err)
		}
	})
}
