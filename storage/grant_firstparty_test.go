package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/storage"
)

const grace = 30 * time.Second

// renewal returns a renewal in the world's session. token is the grant that the refresh
// token names, or noToken.
func (w *world) renewal(token storage.Grant, at time.Time) storage.FirstPartyRenewal {
	return storage.FirstPartyRenewal{
		Grant: storage.Grant{
			ID: storage.NewID("gid_"), UserID: w.user.ID, ClientID: w.client.ID, SessionID: w.session.ID,
			Scopes: []string{"openid"}, AuthTime: w.session.AuthTime, ACR: w.session.ACR, AMR: w.session.AMR,
			IdleFor: 7 * 24 * time.Hour, ExpiresAt: storage.At(at.Add(30 * 24 * time.Hour)),
		},
		GrantID: token.ID, Generation: token.Generation, Grace: grace,
	}
}

func (w *world) renew(t testing.TB, token storage.Grant, at time.Time) storage.Grant {
	t.Helper()
	g, err := w.RenewFirstParty(t.Context(), w.renewal(token, at), at)
	if err != nil {
		t.Fatalf("renew: %v", err)
	}
	return g
}

var noToken = storage.Grant{}

func TestRenewFirstParty_OpensOnceThenRotates(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.renew(t, noToken, noon)
		if first.Generation != 1 || !first.FirstParty || first.SessionID != w.session.ID {
			t.Fatalf("opened %+v", first)
		}
		second := w.renew(t, first, noon.Add(time.Minute))
		if second.ID != first.ID || second.Generation != 2 || second.RotatedAt != storage.At(noon.Add(time.Minute)) {
			t.Fatalf("rotated to %+v", second)
		}
		// Within the grace, no token opens a third generation: neither the old one, the new
		// one, one of another grant, nor a missing one.
		for _, token := range []storage.Grant{first, second, noToken, {ID: "another grant", Generation: 7}} {
			if again := w.renew(t, token, noon.Add(time.Minute+grace-time.Millisecond)); again.ID != first.ID || again.Generation != 2 {
				t.Fatalf("inside the grace: %+v", again)
			}
		}
		// After the grace, a renewal without a token rotates too.
		if third := w.renew(t, noToken, noon.Add(time.Minute+grace)); third.ID != first.ID || third.Generation != 3 {
			t.Fatalf("without a token, after the grace: %+v", third)
		}
		w.wantAlive(t, first.ID, noon.Add(2*time.Minute))
	})
}

// RT-01: replay of a rotated token after the grace ends the session.
func TestRenewFirstParty_ReplayEndsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, replay := range map[string]func(first, second storage.Grant) (storage.Grant, time.Time){
			"after the grace": func(first, _ storage.Grant) (storage.Grant, time.Time) { return first, noon.Add(time.Hour) },
			"after the successor was used": func(first, second storage.Grant) (storage.Grant, time.Time) {
				w.renew(t, second, noon.Add(2*grace))
				return first, noon.Add(2 * grace)
			},
			"generation too high": func(_, second storage.Grant) (storage.Grant, time.Time) {
				second.Generation++
				return second, noon.Add(time.Second)
			},
		} {
			w.session = w.signIn(t, w.user.ID, "handle "+name, "", noon)
			other := w.redeem(t, w.redemption("request "+name, "code", noon), noon)
			first := w.renew(t, noToken, noon)
			stolen, at := replay(first, w.renew(t, first, noon.Add(grace)))
			_, err := w.RenewFirstParty(t.Context(), w.renewal(stolen, at), at)
			wantError(t, name, err, storage.ErrReplayed)
			w.wantDead(t, first.ID, at)
			w.wantDead(t, other.ID, at) // online grants of other clients end with the session
			_, _, err = w.SessionByHandle(t.Context(), "handle "+name, at)
			wantError(t, name+": session", err, storage.ErrNotFound)
			_, err = w.RenewFirstParty(t.Context(), w.renewal(noToken, at), at)
			wantError(t, name+": again", err, storage.ErrRevoked)
		}
		if !slices.Contains(w.events(t), storage.GrantReplayed) {
			t.Error("no event grant.replayed")
		}
	})
}

func TestRenewFirstParty_ReplacesADeadGrant(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.renew(t, noToken, noon)
		if err := w.RevokeGrant(t.Context(), first.ID, "revoked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		second := w.renew(t, first, noon)
		if second.ID == first.ID || second.Generation != 1 {
			t.Fatalf("after the grant was revoked: %+v", second)
		}
		// The grant belongs to the client that was the first-party app before.
		w.client = w.createClient(t, "next app")
		third := w.renew(t, second, noon)
		if third.ID == second.ID || third.ClientID != "next app" {
			t.Fatalf("for another client: %+v", third)
		}
		w.wantDead(t, second.ID, noon)
		// The grant has expired, and its session has not.
		at := noon.Add(time.Hour)
		short := w.renewal(noToken, noon)
		w.session = w.signIn(t, w.user.ID, "another handle", "", noon)
		short.Grant.SessionID, short.Grant.IdleFor = w.session.ID, time.Minute
		expired, err := w.RenewFirstParty(t.Context(), short, noon)
		if err != nil {
			t.Fatal(err)
		}
		w.renew(t, expired, noon.Add(grace))
		for _, token := range []storage.Grant{expired, noToken} { // an outdated token, within the grace of the expired grant
			if g := w.renew(t, token, at); g.ID == expired.ID || g.Generation != 1 {
				t.Fatalf("after it expired: %+v", g)
			}
		}
	})
}

func TestRenewFirstParty_NeedsALiveSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.renew(t, noToken, noon)
		bob := w.createUser(t, "bob@example.com")
		foreign := w.renewal(first, noon)
		foreign.Grant.UserID = bob.ID
		_, err := w.RenewFirstParty(t.Context(), foreign, noon)
		wantError(t, "session of another user", err, storage.ErrRevoked)
		if err := w.SetClientEnabled(t.Context(), w.client.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		_, err = w.RenewFirstParty(t.Context(), w.renewal(first, noon), noon)
		wantError(t, "disabled client", err, storage.ErrRevoked)
		if err := w.SetClientEnabled(t.Context(), w.client.ID, true, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, token := range []storage.Grant{first, noToken} {
			_, err = w.RenewFirstParty(t.Context(), w.renewal(token, noon), noon)
			wantError(t, "ended session", err, storage.ErrRevoked)
		}
		offline := w.renewal(noToken, noon)
		offline.Grant.Offline = true
		if _, err = w.RenewFirstParty(t.Context(), offline, noon); err == nil {
			t.Error("an offline first-party grant was opened")
		}
	})
}

// RT-03: a hundred parallel renewals open one grant, and a hundred with one token lead
// to one successor.
func TestRenewFirstParty_Race(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		token := noToken
		for generation := int64(1); generation <= 3; generation++ {
			at := noon.Add(time.Duration(generation) * time.Hour)
			var mu sync.Mutex
			seen := map[string]int{}
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					g, err := w.RenewFirstParty(t.Context(), w.renewal(token, at), at)
					mu.Lock()
					defer mu.Unlock()
					seen[fmt.Sprint(g.ID, g.Generation, err)]++
				})
			}
			all.Wait()
			if len(seen) != 1 {
				t.Fatalf("generation %d: %v", generation, seen)
			}
			token = w.renew(t, token, at)
			if token.Generation != generation {
				t.Fatalf("got generation %d, want %d", token.Generation, generation)
			}
		}
	})
}

func TestFirstPartySession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, err := w.FirstPartySession(t.Context(), "handle of alice", noon)
		if err != nil || s.Session.ID != w.session.ID || s.User.ID != w.user.ID || s.Renewed != 0 {
			t.Fatalf("before the first renewal: %v %v %v %v", s.Session.ID, s.User.ID, s.Renewed, err)
		}
		g := w.renew(t, noToken, noon)
		w.redeem(t, w.redemption("request", "code", noon), noon) // another grant of the session
		w.renew(t, g, noon.Add(time.Minute))
		if s, err = w.FirstPartySession(t.Context(), "handle of alice", noon.Add(time.Hour)); err != nil || s.Renewed != storage.At(noon.Add(time.Minute)) {
			t.Fatalf("after it: %v %v", s.Renewed, err)
		}
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if _, err = w.FirstPartySession(t.Context(), "handle of alice", noon); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("after the session ended: %v", err)
		}
	})
}
