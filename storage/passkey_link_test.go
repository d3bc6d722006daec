package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// linkedPasskey returns the use of a link for a passkey. Its handle and challenge are new.
func linkedPasskey(l storage.MailLink) storage.LinkedPasskey {
	return storage.LinkedPasskey{
		Link: l.Ref(), UserID: l.UserID, ChallengeID: storage.NewID("c"), Until: storage.At(noon.Add(time.Hour)),
		Passkey: storage.Passkey{Name: "Phone", Handle: storage.NewID("h"), RPID: "id.example.com", PublicKey: []byte("key")},
	}
}

func (w *world) passkeyLink(t testing.TB, userID string, unproven storage.UnprovenPolicy, at time.Time) storage.MailLink {
	t.Helper()
	l, err := w.IssuePasskeyLink(t.Context(), storage.PasskeyLink{UserID: userID, Reason: "by_administrator", Unproven: unproven}, storage.By{At: at})
	if err != nil {
		t.Fatalf("issue passkey link: %v", err)
	}
	return l
}

// A link for a passkey is spent with the passkey, and everything of the user ends. The passkey is
// proven if a second factor was given, or if it is the first credential of an account whose address
// is not unproven. A refused use changes nothing.
func TestPasskeyLink_AddsAPasskey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Minute)
		withCodes := func(t *testing.T) storage.User {
			u := w.verifiedUser(t, storage.NewID("f")+"@example.com")
			s := w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			w.proveIn(t, s, noon)
			e := storage.TOTPEnrolment{FactorChange: w.factorChange(s, storage.NewID("h")), ID: storage.NewID("crd_"), Secret: []byte("sealed"), Step: 1, Codes: [][]byte{[]byte("code")}}
			if _, _, err := w.AddTOTP(t.Context(), e, noon); err != nil {
				t.Fatal(err)
			}
			return u
		}
		without := func(verified bool, address, hash string) func(t *testing.T) storage.User {
			return func(t *testing.T) storage.User {
				u, err := w.CreateUser(t.Context(), storage.User{Email: storage.NewID("n") + "@example.com", EmailVerified: verified}, hash, storage.By{At: noon})
				if err != nil {
					t.Fatal(err)
				}
				if address == "" {
					w.exec(t, `UPDATE users SET email = '', email_canonical = '' WHERE id = ?`, u.ID)
				}
				return u
			}
		}
		for _, c := range []struct {
			name     string
			user     func(t *testing.T) storage.User
			unproven storage.UnprovenPolicy
			factor   *storage.FactorUse
			due      bool
			proven   bool
		}{
			{name: "no credential", user: without(true, "x", ""), proven: true},
			{name: "no credential and no address", user: without(false, "", ""), proven: true},
			{name: "no credential, unproven address", user: without(false, "x", "")},
			{name: "a password", user: without(true, "x", "hash")},
			{name: "a password, unproven address, keep", user: without(false, "x", "hash"), unproven: storage.KeepAttached},
			{name: "a password, unproven address, evict", user: without(false, "x", "hash"), unproven: storage.EvictAttached},
			{name: "an app, and no code", user: withCodes, due: true},
			{name: "an app, and a code of another user", user: withCodes, factor: &storage.FactorUse{CodeHash: []byte("other")}, due: true},
			{name: "an app, and a recovery code", user: withCodes, factor: &storage.FactorUse{CodeHash: []byte("code")}, proven: true},
		} {
			u := c.user(t)
			s, signedIn := storage.Session{}, c.unproven != storage.EvictAttached
			if signedIn && !c.due && c.factor == nil && u.EmailVerified {
				s = w.signIn(t, u.ID, storage.NewID("h"), "", noon)
			}
			l := w.passkeyLink(t, u.ID, c.unproven, at)
			use := linkedPasskey(l)
			use.Factor = c.factor
			err := w.AddPasskeyByLink(t.Context(), use, at)
			due := new(storage.FactorDueError)
			if errors.As(err, &due) != c.due || !c.due && err != nil {
				t.Errorf("%s: %v, factor due: %v", c.name, err, c.due)
				continue
			}
			list, err := w.PasskeysOf(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if c.due {
				if len(list) != 0 {
					t.Errorf("%s: a refused link added %d passkeys", c.name, len(list))
				}
				if _, err := w.OpenMailLink(t.Context(), l.Ref(), at); err != nil {
					t.Errorf("%s: the refused link is spent: %v", c.name, err)
				}
				continue
			}
			if len(list) != 1 || (list[0].ProvenAt != 0) != c.proven || list[0].Kind != storage.FactorPasskey {
				t.Errorf("%s: passkeys %+v, want one, proven: %v", c.name, list, c.proven)
			}
			if s.ID != "" {
				sessions, err := w.SessionsOf(t.Context(), u.ID, at)
				if err != nil || len(sessions) != 0 {
					t.Errorf("%s: sessions %+v, %v, want none", c.name, sessions, err)
				}
			}
			again := linkedPasskey(l)
			if err := w.AddPasskeyByLink(t.Context(), again, at); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: the link worked twice: %v", c.name, err)
			}
		}
	})
}

// A link for a passkey works for its user alone, until it is replaced, and while the user has the
// address that the operator saw. A challenge counts once, and a refused passkey spends no link.
func TestPasskeyLink_IsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Minute)
		u, other := w.verifiedUser(t, "lea@example.com"), w.verifiedUser(t, "leo@example.com")
		older := w.passkeyLink(t, u.ID, storage.StopIfAttached, at)
		l := w.passkeyLink(t, u.ID, storage.StopIfAttached, at)
		if err := w.AddPasskeyByLink(t.Context(), linkedPasskey(older), at); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("an older link: %v", err)
		}
		foreign := linkedPasskey(l)
		foreign.UserID = other.ID
		if err := w.AddPasskeyByLink(t.Context(), foreign, at); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("another user: %v", err)
		}
		reset, err := w.passwordLink(t, u.ID, storage.StopIfAttached, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddPasskeyByLink(t.Context(), linkedPasskey(reset), at); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("a link for a password: %v", err)
		}
		if err := w.AddPasskeyByLink(t.Context(), linkedPasskey(l), at.Add(storage.LinkPasskey.Life())); !errors.Is(err, storage.ErrLinkDead) {
			t.Errorf("after its life: %v", err)
		}
		first := linkedPasskey(w.passkeyLink(t, other.ID, storage.StopIfAttached, at))
		if err := w.AddPasskeyByLink(t.Context(), first, at); err != nil {
			t.Fatal(err)
		}
		taken := linkedPasskey(l)
		taken.Passkey.Handle = first.Passkey.Handle
		if err := w.AddPasskeyByLink(t.Context(), taken, at); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("the passkey of another user: %v", err)
		}
		replayed := linkedPasskey(l)
		replayed.ChallengeID = first.ChallengeID
		if err := w.AddPasskeyByLink(t.Context(), replayed, at); !errors.Is(err, storage.ErrReplayed) {
			t.Errorf("a challenge that was used: %v", err)
		}
		if err := w.AddPasskeyByLink(t.Context(), linkedPasskey(l), at); err != nil {
			t.Errorf("after refused uses: %v", err)
		}
	})
}
