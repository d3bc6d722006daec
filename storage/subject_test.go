package storage_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

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
