package storage_test

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"signet/storage"
)

func TestSignIn_SessionIsReadBackWhole(t *testing.T) {
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
			t.Errorf("session %+v lacks where it came from or what it answered", s)
		}
	})
}

func TestSignIn_SameUserKeepsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Hour)
		next := w.signIn(t, w.user.ID, "second handle", "handle of alice", at)
		if next.ID != w.session.ID || next.CreatedAt != w.session.CreatedAt || next.AuthTime != storage.At(at) || len(next.Facts) != 2 {
			t.Errorf("session %+v: want %s going on, authenticated anew", next, w.session.ID)
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
		w.dead(t, g.ID, noon)
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
			t.Error("the ended session went on")
		}
		second := w.signIn(t, w.user.ID, "third handle", "", noon)
		late := second.ExpiresAt.Time()
		if s := w.signIn(t, w.user.ID, "fourth handle", "third handle", late); s.ID == second.ID {
			t.Error("the expired session went on")
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

// A clock behind the one that disabled and enabled the user makes sessions that
// live, and a later "off" ends those of a clock that was ahead.
func TestST11_ClockStepsNeitherLockOutNorRevive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ahead := noon.Add(time.Hour)
		future := w.signIn(t, w.user.ID, "from the future", "", ahead)
		for _, off := range []bool{true, false} {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, !off, storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := w.SessionByHandle(t.Context(), "from the future", ahead)
		wantError(t, "session made by a clock ahead", err, storage.ErrNotFound)
		s := w.signIn(t, w.user.ID, "handle of now", "", noon)
		if s.CreatedAt <= future.CreatedAt {
			t.Errorf("made at %d, want after not_before", s.CreatedAt)
		}
		w.session = s
		w.alive(t, w.redeem(t, w.redemption("request", "code", noon), noon).ID, noon)
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
			t.Errorf("hash %q, %v: want better, which a stale rehash leaves alone", hash, err)
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

func TestSessionsOf_ListsTheLiveOnesLatestFirst(t *testing.T) {
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

func TestAddFact_KeepsTheNewestSixteen(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 20 {
			f := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: strconv.Itoa(i)}
			if err := w.AddFact(t.Context(), w.user.ID, w.session.ID, f, noon); err != nil {
				t.Fatal(err)
			}
		}
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Facts) != 16 || s.Facts[0].Request != "4" || s.Facts[15].Request != "19" {
			t.Errorf("facts %v, want those of requests 4 to 19", s.Facts)
		}
	})
}

func TestAddFact_NoneIsLostAmongSixteenAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		results := together(15, func(i int) error {
			f := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: strconv.Itoa(i)}
			return w.AddFact(t.Context(), w.user.ID, w.session.ID, f, noon)
		})
		if counts := tally(results); counts["ok"] != 15 {
			t.Fatalf("outcomes %v", counts)
		}
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil || len(s.Facts) != 16 {
			t.Errorf("%d facts, %v: want 16", len(s.Facts), err)
		}
	})
}

func TestAddFact_RefusesDeadAndForeignSessions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		fact := storage.Fact{Kind: storage.FactChosen, At: storage.At(noon), Request: "r"}
		wantError(t, "alice's session, as bob", w.AddFact(t.Context(), bob.ID, w.session.ID, fact, noon), storage.ErrRevoked)
		late := w.session.ExpiresAt.Time()
		wantError(t, "an expired session", w.AddFact(t.Context(), w.user.ID, w.session.ID, fact, late), storage.ErrRevoked)
	})
}

func TestLO03_EndSessionTouchesOnlyItsOwner(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob, carol := w.createUser(t, "bob@example.com"), w.createUser(t, "carol@example.com")
		w.signIn(t, bob.ID, "handle of bob", "", noon)
		w.signIn(t, carol.ID, "handle of carol", "", noon)
		wrong := [][2]string{{"", ""}, {"", w.session.ID}, {w.user.ID, ""}, {"%", "%"}, {"usr_%", w.session.ID}, {"1=1", "1=1"}, {w.user.ID, "x\x00"}}
		for _, ids := range wrong {
			err := w.EndSession(t.Context(), ids[0], ids[1], "signed_out", storage.By{At: noon})
			if empty := ids[0] == "" || ids[1] == ""; empty && err == nil {
				t.Errorf("EndSession(%q, %q): no error", ids[0], ids[1])
			}
		}
		if err := w.EndSession(t.Context(), bob.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Errorf("alice's session, as bob: %v", err)
		}
		for _, handle := range []string{"handle of alice", "handle of bob", "handle of carol"} {
			if _, _, err := w.SessionByHandle(t.Context(), handle, noon); err != nil {
				t.Errorf("%s: %v, want it alive", handle, err)
			}
		}
	})
}
