package storage_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"signet/storage"
)

// resetPassword gives a user a new password and keeps everything that is attached to the
// account.
func (w *world) resetPassword(t testing.TB, userID, hash string, at time.Time) error {
	t.Helper()
	r := storage.PasswordReset{UserID: userID, Hash: hash, Reason: "password_reset", Unproven: storage.KeepAttached, From: storage.Origin{Actor: "cli"}}
	_, err := w.ResetPassword(t.Context(), r, at)
	return err
}

func TestResetPassword_EndsAllSessionsAndGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		online := w.redeem(t, w.redemption("request", "code", noon), noon)
		r := w.redemption("offline request", "offline code", noon)
		r.Grant.Offline = true
		offline := w.redeem(t, r, noon)
		bob := w.createUser(t, "bob@example.com")
		w.signIn(t, bob.ID, "handle of bob", "", noon)

		at := noon.Add(time.Minute)
		if err := w.resetPassword(t, w.user.ID, "new hash", at); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, online.ID, at)
		w.wantDead(t, offline.ID, at)
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", at)
		wantError(t, "alice's session", err, storage.ErrNotFound)
		if _, _, err := w.SessionByHandle(t.Context(), "handle of bob", at); err != nil {
			t.Errorf("bob's session: %v", err)
		}
		for email, want := range map[string]string{w.user.Email: "new hash", bob.Email: "hash of bob@example.com"} {
			if _, got, err := w.UserByEmail(t.Context(), email); err != nil || got != want {
				t.Errorf("the hash of %s is %q, %v: want %q", email, got, err, want)
			}
		}
		events := w.events(t)
		if !slices.Contains(events, storage.PasswordChanged) || !slices.Contains(events, storage.SessionsEnded) {
			t.Errorf("events %v, want password.changed and session.ended_all", events)
		}

		// New sessions and grants are valid.
		w.session = w.signIn(t, w.user.ID, "anew", "", at)
		w.wantAlive(t, w.redeem(t, w.redemption("next request", "next code", at), at).ID, at)
	})
}

func TestResetPassword_SetsAFirstPassword(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob, err := w.CreateUser(t.Context(), storage.User{Email: "bob@example.com"}, "", storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range []string{"first", "second"} {
			if err := w.resetPassword(t, bob.ID, hash, noon); err != nil {
				t.Fatal(err)
			}
			if _, got, err := w.UserByEmail(t.Context(), bob.Email); err != nil || got != hash {
				t.Errorf("hash %q, %v: want %q", got, err, hash)
			}
		}
		if err := w.resetPassword(t, bob.ID, "", noon); err == nil {
			t.Error("an empty hash was accepted")
		}
		wantError(t, "unknown user", w.resetPassword(t, "usr_nobody", "h", noon), storage.ErrNotFound)
	})
}

// Sign-ins and rotations race with the reset. They may win or lose, but no session or token
// of theirs is valid after the reset.
func TestResetPassword_RaceLeavesNoSessionOrGrant(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		at := noon.Add(time.Minute)
		results := together(8, func(i int) error {
			switch i {
			case 0:
				return w.resetPassword(t, w.user.ID, "new hash", at)
			case 1, 2, 3:
				_, err := w.SignIn(t.Context(), storage.SignIn{
					UserID: w.user.ID, HandleHash: "race " + strconv.Itoa(i), IdleFor: time.Hour, AbsoluteFor: time.Hour,
				}, noon)
				return err
			}
			_, err := w.RotateGrant(t.Context(), storage.GrantRotation{
				GrantID: g.ID, Generation: g.Generation, ClientID: w.client.ID, Grace: time.Minute,
			}, func(storage.Grant) error { return nil }, at)
			return err
		})
		if results[0] != nil {
			t.Fatalf("reset: %v", results[0])
		}
		for _, err := range results[1:] {
			if o := outcome(err); o != "ok" && o != "revoked" {
				t.Errorf("outcome %s", o)
			}
		}
		w.wantDead(t, g.ID, at)
		// A session is valid after the reset only if it was created after the reset.
		u, err := w.User(t.Context(), w.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.SessionsOf(t.Context(), w.user.ID, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.ID == w.session.ID || s.CreatedAt <= u.NotBefore {
				t.Errorf("session %s is valid after the reset", s.ID)
			}
		}
	})
}

// resetWay is a way to a new password for a person who does not know the old one.
type resetWay struct {
	reset  func(u storage.User) error
	reason string // of the events
	kept   bool   // an operator keeps the unproven passkeys
	mailed bool
}

// resetWays lists all ways by name.
func (w *world) resetWays(t testing.TB) map[string]resetWay {
	operator := func(policy storage.UnprovenPolicy) func(u storage.User) error {
		return func(u storage.User) error {
			_, err := w.ResetPassword(t.Context(), storage.PasswordReset{UserID: u.ID, Hash: "new", Reason: "by_administrator", Unproven: policy, Connectors: []string{"corp"}, From: storage.Origin{Actor: "cli"}}, noon)
			return err
		}
	}
	printed := func(policy storage.UnprovenPolicy) func(u storage.User) error {
		return func(u storage.User) error {
			l, err := w.IssuePasswordLink(t.Context(), storage.PasswordLink{UserID: u.ID, Reason: "by_administrator", Unproven: policy}, storage.By{At: noon})
			if err != nil {
				return err
			}
			return w.ResetPasswordByLink(t.Context(), storage.LinkedReset{Link: l.Ref(), UserID: u.ID, Hash: "new", Connectors: []string{"corp"}}, noon)
		}
	}
	return map[string]resetWay{
		"by mail": {reset: func(u storage.User) error {
			l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email}, noon)
			return w.ResetPasswordByLink(t.Context(), storage.LinkedReset{Link: l.Ref(), UserID: u.ID, Hash: "new", Connectors: []string{"corp"}}, noon)
		}, reason: "reset_by_mail", mailed: true},
		"by a link of an operator":           {reset: printed(storage.StopIfAttached), reason: "reset_by_operator"},
		"by a link of an operator who keeps": {reset: printed(storage.KeepAttached), reason: "reset_by_operator", kept: true},
		"by an operator":                     {reset: operator(storage.StopIfAttached), reason: "by_administrator"},
		"by an operator who keeps":           {reset: operator(storage.KeepAttached), reason: "by_administrator", kept: true},
		"by an emergency link": {reset: func(u storage.User) error {
			w.exec(t, `UPDATE users SET admin = ? WHERE id = ?`, true, u.ID)
			hash := storage.NewID("l")
			w.openEmergency(t, hash, u.ID, noon)
			_, err := w.ResetEmergencyPassword(t.Context(), storage.EmergencyReset{LinkHash: hash, UserID: u.ID, Hash: "new", Connectors: []string{"corp"}}, storage.By{At: noon})
			return err
		}, reason: "break_glass"},
	}
}

// A new password for a person who does not know the old one removes the passkeys that somebody who
// knew it could have added, and tells the user. Those that were added or confirmed with two factors
// stay, and so do second factors; an operator may keep all.
//
// RC-12: a reset does not get around a second factor.
func TestResetPassword_RemovesUnprovenPasskeys(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, c := range w.resetWays(t) {
			u, _ := w.owner(t)
			w.exec(t, `UPDATE credentials SET proven_at = 0 WHERE id = (SELECT MIN(id) FROM credentials WHERE user_id = ? AND kind = 'webauthn')`, u.ID)
			w.exec(t, `DELETE FROM outbox`)
			if err := c.reset(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want := map[string]int{"proven_at <> 0": 1, "proven_at = 0": 0}
			if c.kept {
				want["proven_at = 0"] = 1
			}
			for condition, n := range want {
				if got := w.count(t, "credentials WHERE kind = 'webauthn' AND "+condition+" AND user_id = ?", u.ID); got != n {
					t.Errorf("%s: %d passkeys with %s, want %d", name, got, condition, n)
				}
			}
			if n := w.count(t, "credentials WHERE kind IN ('totp', 'recovery') AND user_id = ?", u.ID); n != 2 {
				t.Errorf("%s: %d second factors, want 2", name, n)
			}
			events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.PasskeyRemoved, UserID: u.ID}, 2)
			if err != nil || len(events) != 1-want["proven_at = 0"] || len(events) > 0 && events[0].Reason != c.reason {
				t.Errorf("%s: events %+v, %v", name, events, err)
			}
			if m := w.mailTo(t, storage.MailPasswordChanged, u.Email); m == nil || m.Message.Facts.PasskeysRemoved == c.kept {
				t.Errorf("%s: mail %+v", name, m)
			}
		}
	})
}

// passkeyOwner is a user whose only way in is a proven passkey, and a recovery code.
func (w *world) passkeyOwner(t testing.TB) storage.User {
	t.Helper()
	u := w.verifiedUser(t, storage.NewID("p")+"@example.com")
	w.exec(t, `DELETE FROM credentials WHERE user_id = ?`, u.ID)
	for _, kind := range []string{"webauthn", "recovery"} {
		w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, handle, detail, proven_at) VALUES (?, ?, ?, ?, ?, '{}', 1)`,
			storage.NewID("crd_"), u.ID, kind, []byte("secret of "+kind), storage.NewID("handle"))
	}
	return u
}

// An account that had only passkeys asks for one, or for a recovery code, after a new password: a person
// who only reads its mails, or stole a link of an operator, does not get in. Nothing changes for an
// account that had another way in with one factor. A mailed link disregards identities, because it is
// mailed only where they are no way in.
func TestResetPassword_OnlyPasskeysAreStillAskedFor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		always, never := func(resetWay) bool { return true }, func(resetWay) bool { return false }
		for shape, c := range map[string]struct {
			prepare string // statement with the user as parameter; "": none
			asks    func(way resetWay) bool
		}{
			"a passkey":                    {"", always},
			"a passkey and no codes":       {`DELETE FROM credentials WHERE kind = 'recovery' AND user_id = ?`, always},
			"a passkey of a former host":   {`UPDATE credentials SET rp_id = 'former.example.com' WHERE kind = 'webauthn' AND user_id = ?`, always},
			"an unproven passkey":          {`UPDATE credentials SET proven_at = 0 WHERE user_id = ?`, never},
			"a passkey and a password":     {`INSERT INTO credentials (id, user_id, kind, secret) SELECT 'crd_p' || id, id, 'password', 'old' FROM users WHERE id = ?`, never},
			"a passkey that is always due": {`UPDATE users SET always_ask_at = 1 WHERE id = ?`, always},
			"a passkey and an identity": {
				`INSERT INTO identities (connector, issuer, subject, user_id) SELECT 'corp', 'https://corp.example.com', id, id FROM users WHERE id = ?`,
				func(way resetWay) bool { return way.mailed },
			},
			"a passkey and an identity of a removed connector": {
				`INSERT INTO identities (connector, issuer, subject, user_id) SELECT 'former', 'https://former.example.com', id, id FROM users WHERE id = ?`, always,
			},
		} {
			for name, way := range w.resetWays(t) {
				what := shape + ", " + name
				u := w.passkeyOwner(t)
				if c.prepare != "" {
					w.exec(t, c.prepare, u.ID)
				}
				chosen := shape == "a passkey that is always due"
				if err := way.reset(u); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				want := c.asks(way)
				_, err := w.SignIn(t.Context(), w.signInOf(u.ID, storage.NewID("h"), ""), noon.Add(time.Second))
				if isDue(err) != want || !want && err != nil {
					t.Errorf("%s: a sign-in with the password alone: %v, want it refused: %v", what, err, want)
				}
				events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.AlwaysAskChanged, UserID: u.ID}, 2)
				if recorded := want && !chosen; err != nil || (len(events) == 1) != recorded || recorded && events[0].Reason != way.reason {
					t.Errorf("%s: events %+v, %v", what, events, err)
				}
				if m := w.mailTo(t, storage.MailPasswordChanged, u.Email); m == nil || m.Message.Facts.AsksPasskey != (want && !chosen) {
					t.Errorf("%s: mail %+v", what, m)
				}
				if !want {
					continue
				}
				// The operator is the way for a person who lost the passkeys and the codes.
				if _, err := w.ResetFactors(t.Context(), storage.FactorReset{UserID: u.ID}, storage.By{At: noon.Add(time.Second)}); err != nil {
					t.Fatal(err)
				}
				if _, err := w.SignIn(t.Context(), w.signInOf(u.ID, storage.NewID("h"), ""), noon.Add(2*time.Second)); err != nil {
					t.Errorf("%s: after the operator removed the factors: %v", what, err)
				}
			}
		}
	})
}
