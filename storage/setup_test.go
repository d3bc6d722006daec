package storage_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

func completeSetup(t *testing.T, db *storage.DB, link, email string, at time.Time) (storage.User, error) {
	t.Helper()
	return db.CompleteSetup(t.Context(), link, storage.User{Email: email, Name: "Root"}, "hash", storage.By{At: at})
}

func openSetup(t *testing.T, db *storage.DB, link string, at time.Time) {
	t.Helper()
	if err := db.OpenSetup(t.Context(), link, at.Add(30*time.Minute), storage.By{From: storage.Origin{Actor: "system"}, At: at}); err != nil {
		t.Fatal(err)
	}
}

func setupIsOpen(t *testing.T, db *storage.DB, link string, at time.Time) bool {
	t.Helper()
	open, err := db.IsSetupOpen(t.Context(), link, at)
	if err != nil {
		t.Fatal(err)
	}
	return open
}

// PW-19: one link makes one administrator, and closes all other links for ever.
func TestCompleteSetup_ClosesSetupForEver(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		openSetup(t, db, "first", noon)
		openSetup(t, db, "second", noon.Add(time.Minute)) // by another node: both links are valid
		for link, want := range map[string]bool{"first": true, "second": true, "third": false, "": false} {
			if got := setupIsOpen(t, db, link, noon.Add(2*time.Minute)); got != want {
				t.Errorf("link %q is open: %v, want %v", link, got, want)
			}
		}
		if setupIsOpen(t, db, "first", noon.Add(30*time.Minute)) {
			t.Error("a link is open after 30 minutes")
		}
		for _, link := range []string{"third", "first"} {
			_, err := completeSetup(t, db, link, "late@example.com", noon.Add(30*time.Minute))
			wantError(t, "complete by "+link, err, storage.ErrNotFound)
		}
		if _, _, err := db.UserByEmail(t.Context(), "late@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the refused setup created a user: %v", err)
		}
		root, err := completeSetup(t, db, "second", "root@example.com", noon.Add(2*time.Minute))
		if err != nil || !root.Admin {
			t.Fatalf("%+v, %v", root, err)
		}
		for _, link := range []string{"first", "second"} {
			if setupIsOpen(t, db, link, noon.Add(2*time.Minute)) {
				t.Errorf("link %s is open after setup", link)
			}
			_, err := completeSetup(t, db, link, "again@example.com", noon.Add(2*time.Minute))
			wantError(t, "complete again by "+link, err, storage.ErrNotFound)
		}
		// Setup stays closed even after the last administrator is deleted.
		err = db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(`DELETE FROM users WHERE id = ?`, root.ID).Error })
		if err != nil {
			t.Fatal(err)
		}
		err = db.OpenSetup(t.Context(), "later", noon.Add(time.Hour), storage.By{At: noon})
		wantError(t, "open again", err, storage.ErrConflict)
	})
}

// MN-01, PW-19: of 50 visitors with two links at two nodes, one becomes administrator.
// An email address that is taken leaves setup open.
func TestCompleteSetup_OneOfManyAtOnceWins(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		nodes := []*storage.DB{b.Open(t), b.Open(t)}
		if _, err := nodes[0].CreateUser(t.Context(), storage.User{Email: "ada@example.com"}, "hash", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		openSetup(t, nodes[0], "a", noon)
		openSetup(t, nodes[1], "b", noon)
		_, err := completeSetup(t, nodes[0], "a", "ADA@example.com", noon)
		wantError(t, "an address that is taken", err, storage.ErrConflict)

		results := together(50, func(i int) error {
			_, err := completeSetup(t, nodes[i%2], []string{"a", "b"}[i/2%2], string(rune('a'+i%25))+"@visitors.example.com", noon)
			return err
		})
		if got := tally(results)["ok"]; got != 1 {
			t.Errorf("%d visitors became administrator, want 1: %v", got, tally(results))
		}
		for _, err := range results {
			if err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrConflict) {
				t.Errorf("a refused visitor got %v, want ErrNotFound or ErrConflict", err)
			}
		}
		users, err := nodes[0].Users(t.Context(), storage.UserFilter{}, 100)
		if err != nil || len(users) != 2 {
			t.Errorf("%d users, %v; want ada and the administrator", len(users), err)
		}
	})
}

// PW-19: a link is invalid as soon as there is an administrator. The command line may
// have made this administrator, or an older program that does not know setup links.
func TestSetup_AnyNewAdministratorClosesIt(t *testing.T) {
	for name, create := range map[string]func(*testing.T, *storage.DB) error{
		"command": func(t *testing.T, db *storage.DB) error {
			_, err := db.CreateUser(t.Context(), storage.User{Email: "root@example.com", Admin: true}, "", storage.By{From: storage.Origin{Actor: "cli"}, At: noon})
			return err
		},
		"older program": func(t *testing.T, db *storage.DB) error {
			return db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(`INSERT INTO users (id, admin) VALUES ('usr_1', TRUE)`).Error })
		},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
				db := b.Open(t)
				openSetup(t, db, "link", noon)
				if err := create(t, db); err != nil {
					t.Fatal(err)
				}
				if setupIsOpen(t, db, "link", noon) {
					t.Error("the link is still valid")
				}
				_, err := completeSetup(t, db, "link", "second@example.com", noon)
				wantError(t, "complete", err, storage.ErrNotFound)
				err = db.OpenSetup(t.Context(), "another", noon.Add(time.Hour), storage.By{At: noon})
				wantError(t, "open", err, storage.ErrConflict)
			})
		})
	}
}
