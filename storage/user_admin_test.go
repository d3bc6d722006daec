package storage_test

import (
	"errors"
	"testing"
	"time"

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
	_, err := on.GrantAdmin(t.Context(), userID, storage.Administrator, storage.KeepAttached, storage.By{At: noon})
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
		"demote to helpdesk": func(t *testing.T, w *world, id string) error {
			if u, err := w.User(t.Context(), id); err == nil && !u.Admin {
				return nil
			}
			_, err := w.GrantAdmin(t.Context(), id, storage.Helpdesk, storage.KeepAttached, storage.By{At: noon})
			return err
		},
		"delete": func(t *testing.T, w *world, id string) error {
			return w.DeleteUser(t.Context(), id, storage.By{At: noon})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				for _, role := range []storage.AdminRole{storage.Helpdesk, storage.Auditor} { // they do not count
					u := storage.User{Email: string(role) + "@example.com", LesserRole: role}
					if _, err := w.CreateUser(t.Context(), u, "", storage.By{At: noon}); err != nil {
						t.Fatal(err)
					}
				}
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

// A user has one role of administration. Each change of it is one event that names both roles, and a
// role below that of administrators keeps earlier programs away from the database.
func TestGrantAdmin_ReplacesTheRole(t *testing.T) {
	roles := append([]storage.AdminRole{storage.NoAdminRole}, storage.AdminRoles()...)
	eachWorld(t, func(t *testing.T, w *world) {
		w.createAdmin(t, "root@example.com")
		by := storage.By{At: noon}
		set := func(id string, role storage.AdminRole) error {
			if role == storage.NoAdminRole {
				return w.RevokeAdmin(t.Context(), id, by)
			}
			_, err := w.GrantAdmin(t.Context(), id, role, storage.KeepAttached, by)
			return err
		}
		for _, from := range roles {
			for _, to := range roles {
				u := storage.User{Email: storage.NewID("r") + "@example.com"}
				u.SetAdminRole(from)
				u, err := w.CreateUser(t.Context(), u, "", by)
				if err != nil {
					t.Fatal(err)
				}
				w.exec(t, `UPDATE instance SET oldest_program = 1`)
				if err := set(u.ID, to); err != nil {
					t.Fatalf("%q to %q: %v", from, to, err)
				}
				if now, err := w.User(t.Context(), u.ID); err != nil || now.AdminRole() != to || now.Admin != (to == storage.Administrator) {
					t.Errorf("%q to %q: got %q, %v", from, to, now.AdminRole(), err)
				}
				keepsAway := 0
				if from != to && to != storage.NoAdminRole && to != storage.Administrator {
					keepsAway = 1
				}
				if n := w.count(t, `instance WHERE oldest_program = 23`); n != keepsAway {
					t.Errorf("%q to %q keeps earlier programs away: %d, want %d", from, to, n, keepsAway)
				}
				want := map[storage.EventType]int{storage.UserPromoted: 1, storage.UserDemoted: 0}
				if from == storage.Administrator || to == storage.NoAdminRole {
					want = map[storage.EventType]int{storage.UserPromoted: 0, storage.UserDemoted: 1}
				}
				if from == to {
					want = map[storage.EventType]int{storage.UserPromoted: 0, storage.UserDemoted: 0}
				}
				for event, n := range want {
					wantEvents(t, w, u.ID, event, n)
				}
			}
		}
		if _, err := w.GrantAdmin(t.Context(), w.user.ID, "root", storage.KeepAttached, by); err == nil {
			t.Error("an unknown role is given")
		}
		wantError(t, "unknown user", set("usr_nobody", storage.Auditor), storage.ErrNotFound)
	})
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

// A person who makes a link for a user, or reads a mail of the user, gets no role that the user is given
// later: each kind of link that lets a person into the account ends, whatever the role was before. An
// administrator who gets a lesser role keeps the links, and so does another user.
func TestGrantAdmin_EndsLinksIntoTheAccount(t *testing.T) {
	at := noon.Add(time.Minute)
	links := map[string]func(*testing.T, *world, storage.User) storage.MailLink{
		"printed password link": func(t *testing.T, w *world, u storage.User) storage.MailLink {
			l, err := w.passwordLink(t, u.ID, storage.KeepAttached, at)
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		"printed passkey link": func(t *testing.T, w *world, u storage.User) storage.MailLink {
			return w.passkeyLink(t, u.ID, storage.KeepAttached, at)
		},
	}
	for _, kind := range []storage.LinkKind{storage.LinkReset, storage.LinkEnrol} {
		links["mailed "+string(kind)] = func(t *testing.T, w *world, u storage.User) storage.MailLink {
			return w.issueLink(t, storage.LinkDraft{Kind: kind, Holder: u.ID, UserID: u.ID, Address: u.Email}, at)
		}
	}
	eachWorld(t, func(t *testing.T, w *world) {
		w.createAdmin(t, "root@example.com")
		for name, issue := range links {
			for _, from := range append([]storage.AdminRole{storage.NoAdminRole}, storage.AdminRoles()...) {
				for _, to := range storage.AdminRoles() {
					if from == to {
						continue
					}
					u := storage.User{Email: storage.NewID("p") + "@example.com", EmailVerified: true}
					u.SetAdminRole(from)
					u, err := w.CreateUser(t.Context(), u, "", storage.By{At: noon})
					if err != nil {
						t.Fatal(err)
					}
					ofOther, ofUser := issue(t, w, w.verifiedUser(t, storage.NewID("o")+"@example.com")), issue(t, w, u)
					if _, err := w.GrantAdmin(t.Context(), u.ID, to, storage.StopIfAttached, storage.By{At: at}); err != nil {
						t.Fatalf("%s, %q to %q: %v", name, from, to, err)
					}
					if from == storage.Administrator {
						if _, err := w.OpenMailLink(t.Context(), ofUser.Ref(), at); err != nil {
							t.Errorf("%s, %q to %q: %v, want a link as before", name, from, to, err)
						}
						continue
					}
					w.wantDeadLink(t, ofUser, at, "link_ended")
					if _, err := w.OpenMailLink(t.Context(), ofOther.Ref(), at); err != nil {
						t.Errorf("%s, of another user: %v", name, err)
					}
				}
			}
		}
	})
}
