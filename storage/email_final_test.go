package storage_test

import (
	"errors"
	"testing"
	"time"

	"signet/storage"
)

// An operator who names the address, gives more rights, or evicts, makes earlier changes of the address
// final. The former mailbox does not get an account about which an operator has decided since. Other
// acts of an operator leave the undo.
func TestAddressChange_ActsOfAnOperatorMakeItFinal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		revise := func(r storage.UserRevision, change func(*storage.User)) func(u storage.User) error {
			return func(u storage.User) error {
				r.UserID, r.Unproven = u.ID, storage.KeepAttached
				r.Revise = func(u *storage.User) error { change(u); return nil }
				_, err := w.ReviseUser(t.Context(), r, noon)
				return err
			}
		}
		by := storage.By{At: noon}
		for name, c := range map[string]struct {
			act   func(u storage.User) error
			final bool
		}{
			"named address": {revise(storage.UserRevision{Settle: true}, func(*storage.User) {}), true},
			"role":          {revise(storage.UserRevision{}, func(u *storage.User) { u.Roles = []string{"ops"} }), true},
			"group":         {revise(storage.UserRevision{}, func(u *storage.User) { u.Groups = []string{"staff"} }), true},
			"name":          {revise(storage.UserRevision{}, func(u *storage.User) { u.Name = "Bob" }), false},
			"admin": {func(u storage.User) error {
				_, err := w.GrantAdmin(t.Context(), u.ID, storage.Administrator, storage.StopIfAttached, by)
				return err
			}, true},
			"sign-out":       {func(u storage.User) error { return w.SignOutEverywhere(t.Context(), u.ID, "asked", by) }, false},
			"end everything": {func(storage.User) error { w.endEverything(t, noon); return nil }, true},
			"eviction": {func(u storage.User) error {
				w.exec(t, `UPDATE users SET email_verified = FALSE WHERE id = ?`, u.ID)
				_, err := w.GrantAdmin(t.Context(), u.ID, storage.Administrator, storage.EvictAttached, by)
				return err
			}, true},
			"first proof": {func(u storage.User) error {
				w.exec(t, `UPDATE users SET email_verified = FALSE WHERE id = ?`, u.ID)
				now, err := w.User(t.Context(), u.ID)
				if err != nil {
					return err
				}
				_, err = w.ProveAddress(t.Context(), storage.AddressProof{UserID: u.ID, Email: now.Email, By: storage.ByMail}, noon)
				return err
			}, true},
		} {
			u, s := w.owner(t)
			w.mustChange(t, u, s, storage.NewID("t")+"@example.com", noon)
			link := w.undoLink(t, u.Email, noon)
			if err := c.act(u); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if left := w.count(t, `former_credentials WHERE user_id = ?`, u.ID); (left == 0) != c.final {
				t.Errorf("%s: %d copies are left, want the change final: %v", name, left, c.final)
			}
			if c.final {
				if _, err := w.CreateUser(t.Context(), storage.User{Email: u.Email}, "", storage.By{At: noon}); err != nil {
					t.Errorf("%s: the former address is still reserved: %v", name, err)
				}
			}
			if err := w.undo(t, link, u, noon.Add(time.Minute)); errors.Is(err, storage.ErrLinkDead) != c.final || !c.final && err != nil {
				t.Errorf("%s: undo: %v, want the change final: %v", name, err, c.final)
			}
		}
	})
}

// An identity that an operator removed does not return by an undo; one that the user removed does.
func TestUndo_OperatorsRemovalOfAnIdentityIsFinal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		thief := w.mustChange(t, u, s, "thief@example.com", noon)
		for connector, session := range map[string]string{"google": "", "github": thief.ID} {
			i := storage.Identity{Connector: connector, Issuer: "https://" + connector + ".example", Subject: u.ID, UserID: u.ID}
			if err := w.UnlinkIdentity(t.Context(), storage.IdentityRemoval{Identity: i, SessionID: session, AllowLast: true}, noon); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.undo(t, w.undoLink(t, u.Email, noon), u, noon); err != nil {
			t.Fatal(err)
		}
		if google, github := w.count(t, `identities WHERE user_id = ? AND connector = 'google'`, u.ID), w.count(t, `identities WHERE user_id = ? AND connector = 'github'`, u.ID); google != 0 || github != 1 {
			t.Errorf("restored: %d removed by the operator, %d removed by the user", google, github)
		}
	})
}

// What went forward since the change stays: the counter of a passkey or security key, and the groups
// that an upstream named in a later sign-in.
func TestUndo_CountersAndGroupsDoNotGoBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		w.mustChange(t, u, s, "thief@example.com", noon)
		w.exec(t, `UPDATE credentials SET number = 9, detail = '{"a":2}' WHERE user_id = ? AND kind IN ('webauthn', 'security_key')`, u.ID)
		w.exec(t, `UPDATE credentials SET secret = ? WHERE user_id = ?`, []byte("of the thief"), u.ID)
		w.exec(t, `UPDATE identities SET groups = '' WHERE user_id = ? AND connector = 'google'`, u.ID)
		if err := w.undo(t, w.undoLink(t, u.Email, noon), u, noon); err != nil {
			t.Fatal(err)
		}
		if n := w.count(t, `credentials WHERE user_id = ? AND number = 9 AND detail = '{"a":2}' AND kind IN ('webauthn', 'security_key') AND secret <> ?`, u.ID, []byte("of the thief")); n != 3 {
			t.Errorf("%d of the 2 passkeys and the security key kept their counter", n)
		}
		w.wantGroups(t, "after the undo", u.ID, groupsWanted{})
	})
}

// A program that would give the former address to another user does not open the database after
// a change.
func TestChangeAddress_KeepsOlderProgramsOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, s := w.owner(t)
		w.mustChange(t, u, s, "new@example.com", noon)
		if n := w.count(t, `instance WHERE oldest_program = 16`); n != 1 {
			t.Error("older programs can open the database")
		}
	})
}
