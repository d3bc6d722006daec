package storage_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func TestReviseUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.createUser(t, "taken@example.com")
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		revise := func(change func(*storage.User) error) (storage.RevisedUser, error) {
			r := storage.UserRevision{UserID: w.user.ID, Revise: change, Unproven: storage.KeepAttached, From: storage.Origin{Actor: "cli"}}
			return w.ReviseUser(t.Context(), r, noon.Add(time.Minute))
		}
		u, err := revise(func(u *storage.User) error {
			u.Name, u.Roles, u.Admin, u.ID, u.DisabledAt = "Alice", []string{"dev"}, true, "usr_other", 1
			return nil
		})
		if err != nil || u.Name != "Alice" || u.ID != w.user.ID || u.Admin || !u.Enabled() {
			t.Errorf("%+v, %v", u, err)
		}
		if read, err := w.User(t.Context(), w.user.ID); err != nil || read.Name != "Alice" || !slices.Equal(read.Roles, []string{"dev"}) || read.Admin {
			t.Errorf("%+v, %v", read, err)
		}
		w.wantAlive(t, g.ID, noon.Add(2*time.Minute)) // a new name ends no grant

		_, err = revise(func(u *storage.User) error { u.Email = "Taken@example.com"; return nil })
		wantError(t, "an address that is taken", err, storage.ErrConflict)
		refusal := errors.New("refused")
		_, err = revise(func(*storage.User) error { return refusal })
		wantError(t, "an error of Revise", err, refusal)
		w.wantAlive(t, g.ID, noon.Add(2*time.Minute))

		if u, err = revise(func(u *storage.User) error { u.Email = "New@Example.com"; return nil }); err != nil || u.EmailCanonical != "new@example.com" {
			t.Errorf("%+v, %v", u, err)
		}
		w.wantDead(t, g.ID, noon.Add(2*time.Minute))
		_, _, err = w.SessionByHandle(t.Context(), "handle of alice", noon.Add(2*time.Minute))
		wantError(t, "the session", err, storage.ErrNotFound)
		if events := w.events(t); events[0] != storage.SessionsEnded || events[1] != storage.UserUpdated {
			t.Errorf("events %v, want session.ended_all and user.updated first", events[:3])
		}
	})
}
