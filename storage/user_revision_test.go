package storage_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func (w *world) admin(t *testing.T, email string) string {
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

func TestAD15_TheLastAdministratorStays(t *testing.T) {
	for name, taking := range map[string]func(*testing.T, *world, string) error{
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
				last, second, off := w.admin(t, "1@example.com"), w.admin(t, "2@example.com"), w.admin(t, "3@example.com")
				take := func(id string) error { return taking(t, w, id) }
				if err := w.SetUserEnabled(t.Context(), off, false, storage.By{At: noon}); err != nil {
					t.Fatal(err)
				}
				if err := take(second); err != nil {
					t.Errorf("one of two: %v", err)
				}
				wantError(t, "the last, with a disabled one beside", take(last), storage.ErrLastAdmin)
				if u, err := w.User(t.Context(), last); err != nil || !u.Admin || !u.Enabled() {
					t.Errorf("after the refusal: %+v, %v", u, err)
				}
				if err := take(off); err != nil {
					t.Errorf("a disabled one: %v", err)
				}
				if err := take(w.user.ID); err != nil {
					t.Errorf("somebody else: %v", err)
				}
				wantError(t, "nobody", take("usr_nobody"), storage.ErrNotFound)
			})
		})
	}
}

// Two administrators who remove each other at once: one stays.
func TestAD15_AdministratorsCannotRemoveEachOther(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		other := w.backend.Open(t)
		a, b := w.admin(t, "a@example.com"), w.admin(t, "b@example.com")
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
				t.Fatalf("round %d: %v, want one of them refused", round, results)
			}
			for _, id := range []string{a, b} {
				if err := w.setAdmin(t, w.DB, id, true); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestReviseUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.createUser(t, "taken@example.com")
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		revise := func(change func(*storage.User) error) (storage.Revised, error) {
			r := storage.Revision{UserID: w.user.ID, Revise: change, Unproven: storage.KeepAttached, From: storage.Origin{Actor: "cli"}}
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
		w.alive(t, g.ID, noon.Add(2*time.Minute)) // a name ends nothing

		_, err = revise(func(u *storage.User) error { u.Email = "Taken@example.com"; return nil })
		wantError(t, "an address that is taken", err, storage.ErrConflict)
		refusal := errors.New("no")
		_, err = revise(func(*storage.User) error { return refusal })
		wantError(t, "a refusal", err, refusal)
		w.alive(t, g.ID, noon.Add(2*time.Minute))

		if u, err = revise(func(u *storage.User) error { u.Email = "New@Example.com"; return nil }); err != nil || u.EmailCanonical != "new@example.com" {
			t.Errorf("%+v, %v", u, err)
		}
		w.dead(t, g.ID, noon.Add(2*time.Minute))
		_, _, err = w.SessionByHandle(t.Context(), "handle of alice", noon.Add(2*time.Minute))
		wantError(t, "the session", err, storage.ErrNotFound)
		if events := w.events(t); events[0] != storage.SessionsEnded || events[1] != storage.UserUpdated {
			t.Errorf("events %v", events[:3])
		}
	})
}

func TestST07_DeletedUserLeavesEventsAndNotices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		w.told(t, "rp", w.session, false)
		if err := w.DeleteUser(t.Context(), w.user.ID, storage.By{From: storage.Origin{Actor: "cli"}, At: noon.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.dead(t, g.ID, noon.Add(time.Minute))
		_, err := w.User(t.Context(), w.user.ID)
		wantError(t, "the user", err, storage.ErrNotFound)
		wantError(t, "again", w.DeleteUser(t.Context(), w.user.ID, storage.By{At: noon}), storage.ErrNotFound)
		notices, err := w.LogoutNotices(t.Context(), w.user.ID, "", noon)
		if err != nil || len(notices) != 1 || notices[0].ClientID != "rp" {
			t.Errorf("notices %+v, %v", notices, err)
		}
		if events := w.events(t); events[0] != storage.UserDeleted || !slices.Contains(events, storage.UserSignedIn) {
			t.Errorf("events %v", events)
		}
		next := w.createUser(t, w.user.Email)
		sessions, err := w.SessionsOf(t.Context(), next.ID, noon.Add(time.Minute))
		if next.ID == w.user.ID || err != nil || len(sessions) != 0 {
			t.Errorf("who has the address next: %s after %s, sessions %v, %v", next.ID, w.user.ID, sessions, err)
		}
	})
}

func TestST07_DeletedClientLeavesTheNextOneNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		if err := w.AllowConsent(t.Context(), w.consenting(true, "openid"), noon); err != nil {
			t.Fatal(err)
		}
		before, err := w.Changes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.DeleteClient(t.Context(), w.client.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.dead(t, g.ID, noon)
		_, err = w.Client(t.Context(), w.client.ID)
		wantError(t, "the client", err, storage.ErrNotFound)
		wantError(t, "again", w.DeleteClient(t.Context(), w.client.ID, storage.By{At: noon}), storage.ErrNotFound)
		if after, err := w.Changes(t.Context()); err != nil || after <= before {
			t.Errorf("the change counter went from %d to %d, %v", before, after, err)
		}
		if events := w.events(t); events[0] != storage.ClientDeleted {
			t.Errorf("events %v", events)
		}
		if _, err := w.Consent(t.Context(), w.user.ID, w.createClient(t, w.client.ID).ID, noon); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the next one of that id has a consent: %v", err)
		}
		w.dead(t, g.ID, noon)
	})
}

func TestUsers_Filter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		off := w.createUser(t, "albert@example.com")
		if err := w.SetUserEnabled(t.Context(), off.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.admin(t, "root@example.com")
		for name, test := range map[string]struct {
			filter storage.UserFilter
			want   []string
		}{
			"all":              {storage.UserFilter{}, []string{"albert@example.com", "alice@example.com", "root@example.com"}},
			"behind":           {storage.UserFilter{After: "Albert@Example.com"}, []string{"alice@example.com", "root@example.com"}},
			"beginning":        {storage.UserFilter{Email: "AL"}, []string{"albert@example.com", "alice@example.com"}},
			"administrators":   {storage.UserFilter{Admins: true}, []string{"root@example.com"}},
			"disabled":         {storage.UserFilter{Disabled: true}, []string{"albert@example.com"}},
			"nobody":           {storage.UserFilter{Email: "al", Admins: true}, nil},
			"wildcards are no": {storage.UserFilter{Email: "%"}, nil},
		} {
			list, err := w.Users(t.Context(), test.filter, 10)
			var got []string
			for _, u := range list {
				got = append(got, u.Email)
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%s: got %v, %v; want %v", name, got, err, test.want)
			}
		}
	})
}
