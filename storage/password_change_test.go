package storage_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"signet/storage"
)

// passwordChange returns a change of the password of the world's user, in the world's
// session.
func (w *world) passwordChange(handle string) storage.PasswordChange {
	return storage.PasswordChange{
		UserID: w.user.ID, OldHash: "hash of alice@example.com", NewHash: "new hash", SessionID: w.session.ID, Handle: handle,
	}
}

// offlineGrant opens a grant that stays valid after its session has ended.
func (w *world) offlineGrant(t testing.TB, request string, at time.Time) storage.Grant {
	t.Helper()
	r := w.redemption(request, "code", at)
	r.Grant.Offline = true
	return w.redeem(t, r, at)
}

func (w *world) passwordHashOf(t testing.TB, email string) string {
	t.Helper()
	_, secret, err := w.UserByEmail(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestChangePassword_OnlyThisBrowserStaysSignedIn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		offline, online := w.offlineGrant(t, "offline", noon), w.redeem(t, w.redemption("online", "code", noon), noon)
		w.signIn(t, w.user.ID, "other", "", noon)
		bob := w.createUser(t, "bob@example.com")
		next, err := w.ChangePassword(t.Context(), w.passwordChange("new handle"), noon)
		if err != nil {
			t.Fatal(err)
		}
		if next.ID == w.session.ID || next.AuthTime != w.session.AuthTime || next.ExpiresAt != w.session.ExpiresAt || !reflect.DeepEqual(next.Facts, w.session.Facts) {
			t.Errorf("session %+v: want a new session with the facts and the expiry of %+v", next, w.session)
		}
		read, user, err := w.SessionByHandle(t.Context(), "new handle", noon)
		if err != nil || !reflect.DeepEqual(read, next) || user.ID != w.user.ID {
			t.Errorf("read %+v of %s, %v\nwant %+v", read, user.ID, err, next)
		}
		for _, handle := range []string{"handle of alice", "other"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, noon)
			wantError(t, handle, err, storage.ErrNotFound)
		}
		w.wantDead(t, offline.ID, noon)
		w.wantDead(t, online.ID, noon)
		if a, b := w.passwordHashOf(t, w.user.Email), w.passwordHashOf(t, bob.Email); a != "new hash" || b != "hash of bob@example.com" {
			t.Errorf("hashes %q and %q, want only alice's changed", a, b)
		}
		if got := w.events(t)[0]; got != storage.PasswordChanged {
			t.Errorf("event %s, want %s", got, storage.PasswordChanged)
		}
	})
}

func TestChangePassword_RefusalChangesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		for name, c := range map[string]struct {
			edit func(*storage.PasswordChange)
			want error
		}{
			"wrong old hash":      {func(c *storage.PasswordChange) { c.OldHash = "not that" }, storage.ErrConflict},
			"a foreign session":   {func(c *storage.PasswordChange) { c.UserID, c.OldHash = bob.ID, "hash of bob@example.com" }, storage.ErrRevoked},
			"an unknown session":  {func(c *storage.PasswordChange) { c.SessionID = "ses_unknown" }, storage.ErrRevoked},
			"no user":             {func(c *storage.PasswordChange) { c.UserID = "" }, storage.ErrNotFound},
			"no session":          {func(c *storage.PasswordChange) { c.SessionID = "" }, storage.ErrNotFound},
			"no handle":           {func(c *storage.PasswordChange) { c.Handle = "" }, storage.ErrNotFound},
			"a handle in use now": {func(c *storage.PasswordChange) { c.Handle = "handle of alice" }, storage.ErrConflict},
		} {
			change := w.passwordChange("new handle of " + name)
			c.edit(&change)
			_, err := w.ChangePassword(t.Context(), change, noon)
			wantError(t, name, err, c.want)
		}
		for _, edit := range []func(*storage.PasswordChange){
			func(c *storage.PasswordChange) { c.OldHash = "" }, func(c *storage.PasswordChange) { c.NewHash = "" },
		} {
			change := w.passwordChange("new handle")
			edit(&change)
			if _, err := w.ChangePassword(t.Context(), change, noon); err == nil {
				t.Error("an empty hash was accepted")
			}
		}
		if _, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon); err != nil {
			t.Errorf("alice's session: %v", err)
		}
		if got := w.passwordHashOf(t, w.user.Email); got != "hash of alice@example.com" {
			t.Errorf("hash %q, want the old one", got)
		}
	})
}

func TestChangePassword_GivesBackTheAttempt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limits := []storage.Limit{{Key: "acct:alice", Max: 1, Window: time.Hour}}
		change := w.passwordChange("new handle")
		var err error
		if change.GiveBack, err = w.Reserve(t.Context(), limits, noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ChangePassword(t.Context(), change, noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reserve(t.Context(), limits, noon); err != nil {
			t.Errorf("the attempt still counts: %v", err)
		}
	})
}

// One of several parallel changes wins, although all of them were checked against the same
// password.
func TestChangePassword_Race(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		sessions := make([]storage.Session, 8)
		for i := range sessions {
			sessions[i] = w.signIn(t, w.user.ID, "browser "+strconv.Itoa(i), "", noon)
		}
		results := together(len(sessions), func(i int) error {
			change := w.passwordChange("new handle " + strconv.Itoa(i))
			change.SessionID = sessions[i].ID
			_, err := w.ChangePassword(t.Context(), change, noon)
			return err
		})
		if counts := tally(results); counts["ok"] != 1 || counts["revoked"] != len(results)-1 {
			t.Errorf("outcomes %v: want one change, and the sessions of the others ended", counts)
		}
		if list, err := w.SessionsOf(t.Context(), w.user.ID, noon); err != nil || len(list) != 1 {
			t.Errorf("%d valid sessions, %v; want only the one of the winner", len(list), err)
		}
	})
}

// SS-16: a password was right when it was compared, but another one is stored before
// the session begins: the sign-in is refused.
func TestSignIn_PasswordCheckedBeforeItsChangeIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		checked, _, err := w.UserByEmail(t.Context(), w.user.Email)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ChangePassword(t.Context(), w.passwordChange("new handle"), noon); err != nil {
			t.Fatal(err)
		}
		late := storage.SignIn{UserID: w.user.ID, HandleHash: "late", IdleFor: time.Hour, AbsoluteFor: time.Hour, NotBefore: &checked.NotBefore}
		_, err = w.SignIn(t.Context(), late, noon.Add(time.Second))
		wantError(t, "sign in with the old password", err, storage.ErrRevoked)
		if checked, _, err = w.UserByEmail(t.Context(), w.user.Email); err != nil {
			t.Fatal(err)
		}
		late.NotBefore = &checked.NotBefore
		if _, err := w.SignIn(t.Context(), late, noon.Add(time.Second)); err != nil {
			t.Errorf("sign in with the new password: %v", err)
		}
	})
}

// SS-16: sign-ins with the old password race with its change. No session of theirs
// survives, whether the sign-in or the change commits first.
func TestChangePassword_RaceWithSignInLeavesNoSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		before := w.user.NotBefore
		results := together(9, func(i int) error {
			if i == 4 {
				_, err := w.ChangePassword(t.Context(), w.passwordChange("new handle"), noon)
				return err
			}
			_, err := w.SignIn(t.Context(), storage.SignIn{
				UserID: w.user.ID, HandleHash: "old password " + strconv.Itoa(i), IdleFor: time.Hour, AbsoluteFor: time.Hour, NotBefore: &before,
			}, noon)
			return err
		})
		if results[4] != nil {
			t.Fatalf("change: %v", results[4])
		}
		if counts := tally(results); counts["ok"]+counts["revoked"] != len(results) {
			t.Errorf("outcomes %v: want only ok and revoked", counts)
		}
		list, err := w.SessionsOf(t.Context(), w.user.ID, noon)
		if err != nil || len(list) != 1 || list[0].HandleHash != "new handle" {
			t.Errorf("sessions %v, %v: want only the session of the change", list, err)
		}
	})
}

// SS-16: a refresh races with the change of the password. The grant ends, whether the
// refresh or the change commits first.
func TestChangePassword_RaceWithRefreshLeavesNoGrant(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		grants := []storage.Grant{w.offlineGrant(t, "offline", noon), w.redeem(t, w.redemption("online", "code", noon), noon)}
		results := together(9, func(i int) error {
			if i == 4 {
				_, err := w.ChangePassword(t.Context(), w.passwordChange("new handle"), noon)
				return err
			}
			g := grants[i%2]
			_, err := w.RotateGrant(t.Context(), storage.GrantRotation{
				GrantID: g.ID, ClientID: g.ClientID, Generation: 1, Grace: time.Minute,
			}, func(storage.Grant) error { return nil }, noon)
			return err
		})
		if results[4] != nil {
			t.Fatalf("change: %v", results[4])
		}
		if counts := tally(results); counts["ok"]+counts["revoked"] != len(results) {
			t.Errorf("outcomes %v: want only ok and revoked", counts)
		}
		for _, g := range grants {
			w.wantDead(t, g.ID, noon)
		}
	})
}

// A person who knows only the password cannot replace it if the account can reach two factors.
func TestChangePassword_NeedsTheLevelOfTheAccount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.exec(t, `UPDATE sessions SET acr = ? WHERE id = ?`, storage.ACRTwoFactors, w.session.ID)
		w.addPasskey(t, "p", w.session.ID, noon)
		thief := w.signIn(t, w.user.ID, "handle of thief", "", noon)
		_, err := w.ChangePassword(t.Context(), storage.PasswordChange{
			UserID: w.user.ID, OldHash: w.passwordHashOf(t, w.user.Email), NewHash: "new", SessionID: thief.ID, Handle: "next handle",
		}, noon)
		wantError(t, "with the password alone", err, storage.ErrNotFresh)
	})
}
