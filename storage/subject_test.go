package storage_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// A chosen subject finds its user, belongs to one user only, and is free again when the user is
// deleted. The id finds the user too.
func TestChosenSubject_IsUnique(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		create := func(email, subject string) (storage.User, error) {
			return w.CreateUser(t.Context(), storage.User{Email: email, ChosenSubject: subject}, "", storage.By{At: noon})
		}
		ada, err := create("ada@example.com", "former|1")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"former|1", ada.ID} {
			if got, err := w.UserBySubject(t.Context(), name); err != nil || got.ID != ada.ID || got.PublicSubject() != "former|1" {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		}
		for _, name := range []string{"", "former|2", "FORMER|1", "ada@example.com", "usr_nobody"} {
			if _, err := w.UserBySubject(t.Context(), name); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%q: got %v, want ErrNotFound", name, err)
			}
		}
		for _, taken := range []string{"former|1", ada.ID, w.client.ID} {
			if _, err := create("bob@example.com", taken); !errors.Is(err, storage.ErrSubjectTaken) || errors.Is(err, storage.ErrConflict) {
				t.Errorf("%s: got %v, want ErrSubjectTaken", taken, err)
			}
		}
		if err := w.DeleteUser(t.Context(), ada.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if _, err := create("bob@example.com", "former|1"); err != nil {
			t.Errorf("after the deletion of the user: %v", err)
		}
	})
}

// The subject is in every grant, and in the notices of a session also after the user is deleted.
func TestChosenSubject_IsInGrantsAndNotices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		_, err := w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
			c.Metadata.BackchannelLogoutURI = "https://app.example.com/out"
			return nil
		}, storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		ada, err := w.CreateUser(t.Context(), storage.User{Email: "ada@example.com", ChosenSubject: "former|1"}, "", storage.By{At: noon})
		if err != nil {
			t.Fatal(err)
		}
		session := w.signIn(t, ada.ID, "handle of ada", "", noon)
		r := w.redemption("request of ada", "code", noon)
		r.Grant.UserID, r.Grant.SessionID = ada.ID, session.ID
		g := w.redeem(t, r, noon)
		rotated, err := w.RotateGrant(t.Context(), storage.GrantRotation{GrantID: g.ID, Generation: 1, ClientID: g.ClientID}, func(storage.Grant) error { return nil }, noon)
		if err != nil {
			t.Fatal(err)
		}
		read, _, err := w.LiveGrant(t.Context(), g.ID, "", noon)
		if err != nil {
			t.Fatal(err)
		}
		for what, grant := range map[string]storage.Grant{"redeemed": g, "rotated": rotated, "read": read} {
			if grant.PublicSubject() != "former|1" {
				t.Errorf("%s: the subject is %q", what, grant.PublicSubject())
			}
		}
		if err := w.DeleteUser(t.Context(), ada.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		notices, err := w.ClaimNotices(t.Context(), storage.NoticeClaim{Limit: 10, Lease: 1}, noon)
		if err != nil || len(notices) != 1 || notices[0].PublicSubject() != "former|1" {
			t.Errorf("got %+v, %v", notices, err)
		}
	})
}

// A refresh token with the subject of another grant rotates nothing and revokes nothing, whatever
// its generation is.
func TestRotateGrant_OtherSubjectChangesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("r", "c", noon), noon)
		other := func(storage.Grant) error { return storage.ErrNotFound }
		for _, generation := range []int64{1, 2, 7} {
			rotation := storage.GrantRotation{GrantID: g.ID, Generation: generation, ClientID: g.ClientID, CheckSubject: other}
			if _, err := w.RotateGrant(t.Context(), rotation, func(storage.Grant) error { return nil }, noon); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("generation %d: got %v, want ErrNotFound", generation, err)
			}
			if _, err := w.RefreshableGrant(t.Context(), rotation, noon); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("read generation %d: got %v, want ErrNotFound", generation, err)
			}
		}
		if now, _, err := w.LiveGrant(t.Context(), g.ID, "", noon); err != nil || now.Generation != 1 {
			t.Errorf("the grant is in generation %d, %v", now.Generation, err)
		}
	})
}

// A user and a client that take one name at the same moment: only one of them gets it.
func TestChosenSubject_RaceWithAClient(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 20 {
			name := storage.NewID("name-")
			var user, client error
			var both sync.WaitGroup
			both.Go(func() {
				_, user = w.CreateUser(t.Context(), storage.User{Email: name + "@example.com", ChosenSubject: name}, "", storage.By{At: noon})
			})
			both.Go(func() {
				client = w.CreateClient(t.Context(), storagetest.NewClient(storage.Service, name, "Robot"), storage.By{At: noon})
			})
			both.Wait()
			if (user == nil) == (client == nil) {
				t.Fatalf("race %d: the user got %v, the client %v", i, user, client)
			}
			for _, err := range []error{user, client} {
				if err != nil && !errors.Is(err, storage.ErrSubjectTaken) {
					t.Errorf("race %d: got %v, want ErrSubjectTaken", i, err)
				}
			}
		}
	})
}

// Of several nodes that start at once, one makes the secret; it never changes afterwards.
func TestSubjectSecret_FirstOneStays(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if _, err := w.SubjectSecret(t.Context()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("before the first start: got %v", err)
		}
		seals := [][]byte{{1}, {2}, {3}}
		var all sync.WaitGroup
		for _, sealed := range seals {
			all.Go(func() {
				if err := w.StartSubjectSecret(t.Context(), sealed); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		first, err := w.SubjectSecret(t.Context())
		if err != nil || !slices.ContainsFunc(seals, func(s []byte) bool { return bytes.Equal(s, first) }) {
			t.Fatalf("got %v, %v", first, err)
		}
		if err := w.StartSubjectSecret(t.Context(), []byte{9}); err != nil {
			t.Fatal(err)
		}
		if again, err := w.SubjectSecret(t.Context()); err != nil || !bytes.Equal(again, first) {
			t.Errorf("after another start: got %v, %v, want %v", again, err, first)
		}
	})
}

// MN-11: a program that knows no pairwise and no chosen subjects would send the ID of each user to
// every client. It cannot open the database any more after the first of them is stored.
func TestSubjects_RefuseProgramsThatDoNotKnowThem(t *testing.T) {
	if _, err := os.Stat("migrations/0014_subject.sql"); err != nil {
		t.Fatal(err)
	}
	by := storage.By{At: noon}
	client := func(kind string) storage.Client {
		c := storage.Client{ID: storage.NewID("app-"), Name: "App", Type: storage.Web, Registration: storage.Registration{TokenHash: "token"}}
		c.Metadata.SubjectType = kind
		return c
	}
	create := func(t *testing.T, w *world, c storage.Client) storage.Client {
		t.Helper()
		if err := w.CreateClient(t.Context(), c, by); err != nil {
			t.Fatal(err)
		}
		return c
	}
	register := func(t *testing.T, w *world, kind string) (storage.Client, error) {
		c, _, err := w.RegisterClient(t.Context(), storage.ClientRegistration{Client: client(kind), MaxUnapproved: 10}, by)
		return c, err
	}
	revision := func(kind string) func(*storage.Client) error {
		return func(c *storage.Client) error { c.Metadata.SubjectType = kind; return nil }
	}
	acts := map[string]func(t *testing.T, w *world, kind string) error{
		"create a client": func(t *testing.T, w *world, kind string) error { create(t, w, client(kind)); return nil },
		"revise a client": func(t *testing.T, w *world, kind string) error {
			_, err := w.ReviseClient(t.Context(), create(t, w, client("")).ID, revision(kind), by)
			return err
		},
		"register a client": func(t *testing.T, w *world, kind string) error { _, err := register(t, w, kind); return err },
		"revise a registered client": func(t *testing.T, w *world, kind string) error {
			c, err := register(t, w, "")
			if err == nil {
				_, err = w.ReviseRegisteredClient(t.Context(), c.ID, c.TokenHash, revision(kind), by)
			}
			return err
		},
		"create a user": func(t *testing.T, w *world, kind string) error {
			u := storage.User{Email: storage.NewID("") + "@example.com"}
			if kind == storage.SubjectPairwise {
				u.ChosenSubject = u.Email
			}
			_, err := w.CreateUser(t.Context(), u, "", by)
			return err
		},
	}
	eachWorld(t, func(t *testing.T, w *world) {
		oldest := func() (number int) {
			t.Helper()
			if err := w.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT oldest_program FROM instance`).Scan(&number).Error }); err != nil {
				t.Fatal(err)
			}
			return number
		}
		for name, act := range acts {
			w.exec(t, `UPDATE instance SET oldest_program = 1`)
			for _, c := range []struct {
				kind string
				want int
			}{{"", 1}, {"public", 1}, {storage.SubjectPairwise, 14}} {
				if err := act(t, w, c.kind); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := oldest(); got != c.want {
					t.Errorf("%s, %q: the oldest program is %d, want %d", name, c.kind, got, c.want)
				}
			}
		}
		w.exec(t, `UPDATE instance SET oldest_program = 99`)
		create(t, w, client(storage.SubjectPairwise))
		if got := oldest(); got != 99 {
			t.Errorf("a later number became %d", got)
		}
	})
}
