package storage_test

import (
	"reflect"
	"testing"
	"time"

	"signet/storage"
)

func TestSignIn_ReadsBackEveryField(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, u, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, w.session) {
			t.Errorf("read %+v\nwant %+v", s, w.session)
		}
		if !reflect.DeepEqual(u, w.user) {
			t.Errorf("user %+v\nwant %+v", u, w.user)
		}
		if s.Agent != "agent" || s.Address != "192.0.2.1" || !s.Has(storage.FactAuthenticated, "req handle of alice") {
			t.Errorf("session %+v has not the agent, the address and the request of the sign-in", s)
		}
	})
}

func TestSignIn_SameUserKeepsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Hour)
		next := w.signIn(t, w.user.ID, "second handle", "handle of alice", at)
		if next.ID != w.session.ID || next.CreatedAt != w.session.CreatedAt || next.AuthTime != storage.At(at) || len(next.Facts) != 2 {
			t.Errorf("session %+v: want session %s with a new auth_time", next, w.session.ID)
		}
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", at)
		wantError(t, "old handle", err, storage.ErrNotFound)
		read, _, err := w.SessionByHandle(t.Context(), "second handle", at)
		if err != nil || !reflect.DeepEqual(read, next) {
			t.Errorf("read %+v, %v\nwant %+v", read, err, next)
		}
	})
}

func TestSignIn_AnotherUserEndsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		bob := w.createUser(t, "bob@example.com")
		s := w.signIn(t, bob.ID, "handle of bob", "handle of alice", noon)
		if s.ID == w.session.ID || len(s.Facts) != 1 {
			t.Errorf("session %+v of bob took over alice's", s)
		}
		w.wantDead(t, g.ID, noon)
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		wantError(t, "alice's handle", err, storage.ErrNotFound)
	})
}

func TestSignIn_DeadSessionIsNotRevived(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if s := w.signIn(t, w.user.ID, "second handle", "handle of alice", noon); s.ID == w.session.ID {
			t.Error("the ended session was continued")
		}
		second := w.signIn(t, w.user.ID, "third handle", "", noon)
		late := second.ExpiresAt.Time()
		if s := w.signIn(t, w.user.ID, "fourth handle", "third handle", late); s.ID == second.ID {
			t.Error("the expired session was continued")
		}
	})
}

func TestSignIn_RefusesDisabledAndUnknownUsers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{w.user.ID, "usr_nobody"} {
			_, err := w.SignIn(t.Context(), storage.SignIn{UserID: id, HandleHash: "new", IdleFor: time.Hour, AbsoluteFor: time.Hour}, noon)
			wantError(t, id, err, storage.ErrRevoked)
		}
	})
}

// ST-11: the clock that disabled and enabled the user may be ahead or behind. A new
// session is valid with a clock that is behind, and a session from a clock that was
// ahead ends.
func TestSignIn_ClockStepsNeitherLockOutNorRevive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ahead := noon.Add(time.Hour)
		future := w.signIn(t, w.user.ID, "from the future", "", ahead)
		for _, off := range []bool{true, false} {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, !off, storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := w.SessionByHandle(t.Context(), "from the future", ahead)
		wantError(t, "session from a clock that was ahead", err, storage.ErrNotFound)
		s := w.signIn(t, w.user.ID, "handle of now", "", noon)
		if s.CreatedAt <= future.CreatedAt {
			t.Errorf("created at %d, want a time after not_before", s.CreatedAt)
		}
		w.session = s
		w.wantAlive(t, w.redeem(t, w.redemption("request", "code", noon), noon).ID, noon)
	})
}

func TestSignIn_RehashAndGiveBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "acct:alice", Max: 1, Window: time.Minute}}
		reserved, err := w.Reserve(t.Context(), limit, noon)
		if err != nil {
			t.Fatal(err)
		}
		signIn := storage.SignIn{
			UserID: w.user.ID, HandleHash: "h2", IdleFor: time.Hour, AbsoluteFor: time.Hour,
			OldHash: "hash of alice@example.com", NewHash: "better", GiveBack: reserved,
		}
		if _, err := w.SignIn(t.Context(), signIn, noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reserve(t.Context(), limit, noon); err != nil {
			t.Errorf("the attempt was not given back: %v", err)
		}
		signIn.HandleHash, signIn.NewHash, signIn.GiveBack = "h3", "stale", storage.Reservation{}
		if _, err := w.SignIn(t.Context(), signIn, noon); err != nil {
			t.Fatal(err)
		}
		if _, hash, err := w.UserByEmail(t.Context(), "alice@example.com"); err != nil || hash != "better" {
			t.Errorf("hash %q, %v: want better: an outdated rehash must not replace it", hash, err)
		}
	})
}

func TestSignIn_HandleIsUnique(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		_, err := w.SignIn(t.Context(), storage.SignIn{UserID: bob.ID, HandleHash: "handle of alice", IdleFor: time.Hour, AbsoluteFor: time.Hour}, noon)
		wantError(t, "a handle that is taken", err, storage.ErrConflict)
	})
}
