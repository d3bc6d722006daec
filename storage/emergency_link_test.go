package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

func (w *world) openEmergency(t testing.TB, hash, userID string, at time.Time) {
	t.Helper()
	o := storage.EmergencyOpening{Hash: hash, UserID: userID, HostUser: "root", Until: at.Add(30 * time.Minute)}
	if err := w.OpenEmergencyLink(t.Context(), o, storage.By{From: storage.Origin{Actor: "cli"}, At: at}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) wantLinkOpen(t testing.TB, hash string, at time.Time, want bool) {
	t.Helper()
	_, err := w.OpenLink(t.Context(), hash, at)
	if want && err != nil {
		t.Errorf("link %s: %v", hash, err)
	}
	if !want {
		wantError(t, "link "+hash, err, storage.ErrNotFound)
	}
}

// A link makes one new administrator. The other administrators keep everything.
func TestEmergencyLink_CreatesOneAdministrator(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		err := w.OpenEmergencyLink(t.Context(), storage.EmergencyOpening{Hash: "early", Until: noon.Add(time.Hour)}, storage.By{At: noon})
		wantError(t, "a link before the first administrator", err, storage.ErrConflict)
		ada := w.createAdmin(t, "ada@example.com")
		session := w.signIn(t, ada, "ada", "", noon)
		w.openEmergency(t, "first", "", noon)
		w.openEmergency(t, "second", "", noon.Add(time.Minute))
		w.wantLinkOpen(t, "first", noon.Add(time.Minute), false) // the second has replaced it
		w.wantLinkOpen(t, "second", noon.Add(time.Minute), true)
		w.wantLinkOpen(t, "second", noon.Add(31*time.Minute), false)
		w.wantLinkOpen(t, "", noon, false)
		create := func(hash, email string, at time.Time) error {
			_, err := w.CreateEmergencyAdmin(t.Context(), hash, storage.User{Email: email}, "hash", storage.By{At: at})
			return err
		}
		wantError(t, "a replaced link", create("first", "a@example.com", noon), storage.ErrNotFound)
		wantError(t, "an expired link", create("second", "a@example.com", noon.Add(31*time.Minute)), storage.ErrNotFound)
		wantError(t, "an address that is taken", create("second", "ADA@example.com", noon), storage.ErrConflict)
		other := w.backend.Open(t)
		results := together(20, func(i int) error {
			db := []*storage.DB{w.DB, other}[i%2]
			_, err := db.CreateEmergencyAdmin(t.Context(), "second", storage.User{Email: string(rune('a'+i)) + "@example.com"}, "hash", storage.By{At: noon.Add(2 * time.Minute)})
			return err
		})
		if got := tally(results)["ok"]; got != 1 {
			t.Errorf("%d visitors became administrator, want 1: %v", got, tally(results))
		}
		if !w.signedIn(t, ada, session.ID) {
			t.Error("the session of the other administrator has ended")
		}
		list, err := w.EmergencyLinks(t.Context(), noon.Add(-time.Hour), 5)
		if err != nil || len(list) != 2 || list[0].UsedBy == "" || list[0].Email == "" || list[0].HostUser != "root" || list[1].UsedAt != 0 {
			t.Errorf("notices %+v, %v", list, err)
		}
		if list, err := w.EmergencyLinks(t.Context(), noon.Add(time.Hour), 5); err != nil || len(list) != 0 {
			t.Errorf("notices since an hour later: %+v, %v", list, err)
		}
	})
}

// A link for an administrator sets the password and ends everything of that account, once.
func TestEmergencyLink_ResetsTheNamedAdministrator(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ada, eve := w.createAdmin(t, "ada@example.com"), w.createAdmin(t, "eve@example.com")
		session, others := w.signIn(t, ada, "ada", "", noon), w.signIn(t, eve, "eve", "", noon)
		reset := func(hash, userID string) error {
			u, err := w.ResetEmergencyPassword(t.Context(), storage.EmergencyReset{LinkHash: hash, UserID: userID, Hash: "new hash"}, storage.By{At: noon.Add(time.Minute)})
			if err == nil && (u.ID != userID || u.NotBefore < storage.At(noon.Add(time.Minute))) {
				t.Errorf("user %+v", u)
			}
			return err
		}
		for name, id := range map[string]string{"a user who is no administrator": w.user.ID, "no user": "usr_nobody"} {
			err := w.OpenEmergencyLink(t.Context(), storage.EmergencyOpening{Hash: "x", UserID: id, Until: noon.Add(time.Hour)}, storage.By{At: noon})
			wantError(t, name, err, storage.ErrNotFound)
		}
		w.openEmergency(t, "link", ada, noon)
		wantError(t, "another administrator", reset("link", eve), storage.ErrNotFound)
		_, err := w.CreateEmergencyAdmin(t.Context(), "link", storage.User{Email: "new@example.com"}, "hash", storage.By{At: noon})
		wantError(t, "a new administrator with the link of another", err, storage.ErrNotFound)
		if err := reset("link", ada); err != nil {
			t.Fatal(err)
		}
		wantError(t, "the link again", reset("link", ada), storage.ErrNotFound)
		if got := w.passwordHashOf(t, "ada@example.com"); got != "new hash" {
			t.Errorf("password hash %q", got)
		}
		if w.signedIn(t, ada, session.ID) || !w.signedIn(t, eve, others.ID) {
			t.Error("want the session of ada ended and that of eve live")
		}

		// An administrator who is demoted or disabled meanwhile.
		for name, change := range map[string]func() error{
			"demoted": func() error { return w.setAdmin(t, w.DB, ada, false) },
			"disabled": func() error {
				if err := w.setAdmin(t, w.DB, ada, true); err != nil {
					return err
				}
				return w.SetUserEnabled(t.Context(), ada, false, storage.By{At: noon})
			},
		} {
			u, err := w.User(t.Context(), ada)
			if err != nil {
				t.Fatal(err)
			}
			if !u.Admin || u.DisabledAt != 0 {
				w.exec(t, `UPDATE users SET admin = TRUE, disabled_at = 0 WHERE id = ?`, ada)
			}
			w.openEmergency(t, name, ada, noon)
			if err := change(); err != nil {
				t.Fatal(err)
			}
			w.wantLinkOpen(t, name, noon.Add(time.Minute), false)
			wantError(t, name, reset(name, ada), storage.ErrNotFound)
		}
	})
}

// A link does not outlive the end of everything, nor a restore.
func TestEmergencyLink_EndsWithEverything(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.createAdmin(t, "ada@example.com")
		w.openEmergency(t, "before the end", "", noon)
		w.endEverything(t, noon)
		w.wantLinkOpen(t, "before the end", noon, false)
		w.openEmergency(t, "before the restore", "", noon)
		if _, err := w.MarkRestored(t.Context(), storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantLinkOpen(t, "before the restore", noon, false)
	})
}
