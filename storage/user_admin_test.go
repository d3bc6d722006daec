package storage_test

import (
	"errors"
	"testing"

	"signet/storage"
)

func (w *world) createAdmin(t *testing.T, email string) string {
	t.Helper()
	u, err := w.CreateUser(t.Context(), storage.User{Email: email, Admin: true}, "hash", storage.By{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func (w *world) setAdmin(t *testing.T, on *storage.DB, userID string, admin bool) error {
	t.Helper()
	if !admin {
		return on.RevokeAdmin(t.Context(), userID, storage.By{At: noon})
	}
	_, err := on.GrantAdmin(t.Context(), userID, storage.KeepAttached, storage.By{At: noon})
	return err
}

// AD-15: the last enabled administrator can be neither disabled, demoted nor deleted.
func TestAdministrators_TheLastOneStays(t *testing.T) {
	for name, remove := range map[string]func(*testing.T, *world, string) error{
		"disable": func(t *testing.T, w *world, id string) error {
			return w.SetUserEnabled(t.Context(), id, false, storage.By{At: noon})
		},
		"demote": func(t *testing.T, w *world, id string) error {
			return w.setAdmin(t, w.DB, id, false)
		},
		"delete": func(t *testing.T, w *world, id string) error {
			return w.DeleteUser(t.Context(), id, storage.By{At: noon})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				last, second, off := w.createAdmin(t, "1@example.com"), w.createAdmin(t, "2@example.com"), w.createAdmin(t, "3@example.com")
				removeAdmin := func(id string) error { return remove(t, w, id) }
				if err := w.SetUserEnabled(t.Context(), off, false, storage.By{At: noon}); err != nil {
					t.Fatal(err)
				}
				if err := removeAdmin(second); err != nil {
					t.Errorf("one of two administrators: %v", err)
				}
				wantError(t, "the last enabled administrator", removeAdmin(last), storage.ErrLastAdmin)
				if u, err := w.User(t.Context(), last); err != nil || !u.Admin || !u.Enabled() {
					t.Errorf("after the refusal: %+v, %v", u, err)
				}
				if err := removeAdmin(off); err != nil {
					t.Errorf("a disabled administrator: %v", err)
				}
				if err := removeAdmin(w.user.ID); err != nil {
					t.Errorf("another user: %v", err)
				}
				wantError(t, "unknown user", removeAdmin("usr_nobody"), storage.ErrNotFound)
			})
		})
	}
}

// AD-15: if two administrators demote each other at once, one stays.
func TestRevokeAdmin_TwoCannotRemoveEachOther(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.backend.Open(t)
		a, b := w.createAdmin(t, "a@example.com"), w.createAdmin(t, "b@example.com")
		for round := range 20 {
			results := together(2, func(i int) error {
				if i == 0 {
					return w.setAdmin(t, w.DB, b, false)
				}
				return w.setAdmin(t, other, a, false)
			})
			refused := 0
			for _, err := range results {
				if errors.Is(err, storage.ErrLastAdmin) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if refused != 1 {
				t.Fatalf("round %d: %v, want exactly one refusal", round, results)
			}
			for _, id := range []string{a, b} {
				if err := w.setAdmin(t, w.DB, id, true); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
