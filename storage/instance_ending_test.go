package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func (w *world) endEverything(t testing.TB, at time.Time, fresh ...storage.Key) storage.Ended {
	t.Helper()
	done, err := w.EndEverything(t.Context(), storage.Ending{Reason: "the backups were stolen", HostUser: "root", Fresh: fresh}, storage.By{From: storage.Origin{Actor: "cli"}, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Everything from before ends, also rows that a fast clock dated in the future. Everything new is
// valid, even in the same millisecond.
func TestEndEverything_DividesBeforeFromAfter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Hour + 400*time.Millisecond)
		online := w.redeem(t, w.redemption("r1", "c1", noon), noon)
		offline := w.offlineGrant(t, "r2", noon)
		same := w.signIn(t, w.createUser(t, "same@example.com").ID, "same", "", at)
		ahead := w.signIn(t, w.createUser(t, "ahead@example.com").ID, "ahead", "", at.AddDate(1, 0, 0))
		if err := w.OpenEmergencyLink(t.Context(), storage.EmergencyOpening{Hash: "x", Until: at.Add(time.Hour)}, storage.By{At: noon}); err == nil {
			t.Fatal("an emergency link before the first administrator")
		}
		openSetup(t, w.DB, "link", noon.Add(50*time.Minute))
		count, err := w.Extent(t.Context(), at)
		if err != nil || count.Sessions != 3 || count.Grants != 2 || count.Clients != 1 {
			t.Errorf("extent %+v, %v; want 3 sessions, 2 grants, 1 client", count, err)
		}

		if done := w.endEverything(t, at); done.NotBefore != storage.At(at) {
			t.Errorf("ended until %v, want %v", done.NotBefore.Time(), at)
		}
		for _, late := range []time.Time{at, at.Add(time.Hour), at.AddDate(1, 0, 1)} {
			for _, handle := range []string{"handle of alice", "same", "ahead"} {
				_, _, err := w.SessionByHandle(t.Context(), handle, late)
				wantError(t, "session "+handle, err, storage.ErrNotFound)
			}
		}
		w.wantDead(t, online.ID, at)
		w.wantDead(t, offline.ID, at)
		if setupIsOpen(t, w.DB, "link", at) {
			t.Error("a setup link is still valid")
		}
		_, err = w.RedeemCode(t.Context(), w.redemption("r3", "c3", at), at)
		wantError(t, "a code of an earlier session", err, storage.ErrRevoked)
		for _, s := range []storage.Session{same, ahead} {
			if count, err = w.Extent(t.Context(), at); err != nil || count.Sessions != 0 || count.Grants != 0 {
				t.Errorf("session %s: extent %+v, %v; want nothing", s.ID, count, err)
			}
		}

		// New ones, at the same millisecond and with a clock that is behind.
		for handle, start := range map[string]time.Time{"anew": at, "behind": at.Add(-time.Second)} {
			w.session = w.signIn(t, w.user.ID, handle, "", start)
			if _, _, err := w.SessionByHandle(t.Context(), handle, at); err != nil {
				t.Errorf("a session that starts at %v: %v", start, err)
			}
			w.wantAlive(t, w.redeem(t, w.redemption("r "+handle, "c "+handle, start), start).ID, at)
		}
		// A service token from the second of the end may be a new one: its key decides.
		for issued, want := range map[time.Time]bool{at.Truncate(time.Second): false, at.Truncate(time.Second).Add(-time.Second): true} {
			if revoked, err := w.IsTokenRevoked(t.Context(), "jti", storage.At(issued)); err != nil || revoked != want {
				t.Errorf("a service token issued at %v: revoked %v, %v, want %v", issued, revoked, err, want)
			}
		}
		// Again, in the same millisecond: also ends the sessions that began meanwhile.
		w.endEverything(t, at)
		w.endEverything(t, at.Add(-2*time.Second)) // on a node whose clock is behind
		for _, handle := range []string{"anew", "behind"} {
			_, _, err := w.SessionByHandle(t.Context(), handle, at)
			wantError(t, "session "+handle+" after the second call", err, storage.ErrNotFound)
		}
	})
}

// Every key of every line and state is revoked, its private half is erased, and the fresh ones
// are in its place.
func TestEndEverything_RevokesEveryKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		if _, err := w.StartKeyLines(t.Context(), firstKeys("ES256", "RS256", storage.InternalLine, "FromLater"), by); err != nil {
			t.Fatal(err)
		}
		if err := w.RotateKeys(t.Context(), []storage.KeyRotation{w.keyRotation(t, "ES256"), w.keyRotation(t, storage.InternalLine)}, by); err != nil {
			t.Fatal(err)
		}
		if _, err := w.EndExpiredKeys(t.Context(), 90*24*time.Hour, storage.By{At: noon.Add(24 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		before, counter := w.keys(t), w.changeCounter(t)
		states := map[storage.KeyState]bool{}
		for _, k := range before {
			states[k.State] = true
		}
		if !states[storage.KeyGone] || !states[storage.KeyActive] || !states[storage.KeyNext] {
			t.Fatalf("states %v: the test needs a gone, an active and a next key", states)
		}
		at := noon.Add(25 * time.Hour)
		fresh := firstKeys("ES256", "RS256", storage.InternalLine)
		done := w.endEverything(t, at, fresh...)
		if len(done.Revoked) != len(before) {
			t.Errorf("%d keys were revoked, want %d", len(done.Revoked), len(before))
		}
		for _, k := range w.keys(t) {
			isFresh := slices.ContainsFunc(fresh, func(f storage.Key) bool { return f.ID == k.ID && f.State == k.State })
			isErased := k.State == storage.KeyRevoked && len(k.Sealed) == 0 && k.RevokedAt == storage.At(at) && k.RevokeReason == "the backups were stolen"
			if !isFresh && !isErased {
				t.Errorf("key %+v is neither fresh nor revoked and erased", k)
			}
		}
		if got := w.changeCounter(t); got <= counter {
			t.Errorf("the change counter stayed at %d: running servers do not notice", got)
		}
		list, err := w.Events(t.Context(), storage.EventFilter{Type: storage.EverythingEnded}, 10)
		if err != nil || len(list) != 1 || list[0].From.Actor != "cli" || fmt.Sprint(list[0].Detail["reason"], list[0].Detail["host_user"]) != "the backups were stolenroot" {
			t.Errorf("events %+v, %v", list, err)
		}
	})
}

// The notices of all sessions are written in portions, each once, by several nodes together. A
// second end during the walk loses none.
func TestQueueEndedLogouts_WritesEveryNoticeOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const crowd = 1200
		w.fill(t, crowd)
		w.exec(t, `UPDATE clients SET metadata = '{"backchannel_logout_uri":"https://rp.example/logout"}' WHERE id = ?`, w.client.ID)
		w.exec(t, `UPDATE sessions SET ended_at = 1 WHERE id = ?`, "ses_"+crowdName(1))
		w.exec(t, `UPDATE users SET not_before = ? WHERE id = ?`, storage.At(noon), "usr_"+crowdName(2))
		w.exec(t, `UPDATE grants SET client_id = ? WHERE id = ?`, w.client.ID, "gid_"+crowdName(3)) // a session without other clients
		other := w.backend.Open(t)
		at := noon.Add(time.Hour)
		if more, err := w.QueueEndedLogouts(t.Context(), at); err != nil || more {
			t.Fatalf("before the end: more %v, %v", more, err)
		}
		w.endEverything(t, at)
		if n := w.count(t, "outbox"); n != 0 {
			t.Errorf("the transaction that ends everything wrote %d notices", n)
		}
		if more, err := other.QueueEndedLogouts(t.Context(), at); err != nil || !more {
			t.Fatalf("the first portion: more %v, %v", more, err)
		}
		if n := w.count(t, "outbox"); n == 0 || n > 100 {
			t.Errorf("the first portion wrote %d notices, want 1 to 100", n)
		}
		w.endEverything(t, at.Add(time.Minute)) // before the walk has ended
		results := together(2, func(i int) error {
			db := []*storage.DB{w.DB, other}[i]
			for {
				if more, err := db.QueueEndedLogouts(t.Context(), at); err != nil || !more {
					return err
				}
			}
		})
		for _, err := range results {
			if err != nil {
				t.Error(err)
			}
		}
		if n := w.count(t, "outbox"); n != crowd-2 {
			t.Errorf("%d notices, want %d: all but those of an ended session and of a user that was signed out before", n, crowd-2)
		}
		if more, err := w.QueueEndedLogouts(t.Context(), at.Add(time.Hour)); err != nil || more {
			t.Errorf("afterwards: more %v, %v", more, err)
		}
		w.exec(t, `DELETE FROM outbox WHERE id <> ''`)
		w.endEverything(t, at.Add(2*time.Hour))
		for range 15 {
			if _, err := w.QueueEndedLogouts(t.Context(), at); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count(t, "outbox"); n != 0 {
			t.Errorf("%d notices of sessions that ended before", n)
		}
	})
}

// A restore leaves the notices to the same walk.
func TestMarkRestored_QueuesLogoutNotices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.addLogoutClient(t, "notified", w.session, false)
		if _, err := w.MarkRestored(t.Context(), storage.By{At: noon.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.QueueEndedLogouts(t.Context(), noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.wantNotices(t, w.user.ID, w.session.ID, w.session.ID+" notified")
	})
}
