package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

func TestSessionByHandle_Expiry(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		last := w.session.IdleExpiresAt.Time()
		if _, _, err := w.SessionByHandle(t.Context(), "handle of alice", last.Add(-time.Millisecond)); err != nil {
			t.Errorf("just before idle expiry: %v", err)
		}
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", last)
		wantError(t, "at idle expiry", err, storage.ErrNotFound)
	})
}

func TestSessionsOf_ListsLiveSessionsLatestFirst(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		later := w.signIn(t, w.user.ID, "later", "", noon.Add(time.Minute))
		ended := w.signIn(t, w.user.ID, "ended", "", noon.Add(2*time.Minute))
		if err := w.EndSession(t.Context(), w.user.ID, ended.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.signIn(t, w.createUser(t, "bob@example.com").ID, "bob", "", noon)
		list, err := w.SessionsOf(t.Context(), w.user.ID, noon.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 || list[0].ID != later.ID || list[1].ID != w.session.ID {
			t.Errorf("got %+v, want %s and %s", list, later.ID, w.session.ID)
		}
	})
}
