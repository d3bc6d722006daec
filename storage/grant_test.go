package storage_test

import (
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// A disabled client suspends its grants, an ended session ends its online grants, and a
// disabled user loses all grants.
func TestLiveGrant_FollowsSessionUserAndClient(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		online := w.redeem(t, w.redemption("online", "code", noon), noon)
		r := w.redemption("offline", "code", noon)
		r.Grant.Offline = true
		offline := w.redeem(t, r, noon)

		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(w.SetClientEnabled(t.Context(), w.client.ID, false, storage.By{At: noon}))
		w.wantDead(t, online.ID, noon)
		w.wantDead(t, offline.ID, noon)
		must(w.SetClientEnabled(t.Context(), w.client.ID, true, storage.By{At: noon}))
		w.wantAlive(t, online.ID, noon)
		w.wantAlive(t, offline.ID, noon)

		must(w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}))
		w.wantDead(t, online.ID, noon)
		w.wantAlive(t, offline.ID, noon)

		must(w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}))
		w.wantDead(t, offline.ID, noon)
		must(w.SetUserEnabled(t.Context(), w.user.ID, true, storage.By{At: noon.Add(time.Hour)}))
		w.wantDead(t, offline.ID, noon.Add(time.Hour))
	})
}

func TestLiveGrant_Expiry(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.redemption("offline", "code", noon)
		r.Grant.Offline, r.Grant.IdleFor, r.Grant.ExpiresAt = true, time.Hour, storage.At(noon.Add(24*time.Hour))
		g := w.redeem(t, r, noon)
		w.wantAlive(t, g.ID, noon.Add(time.Hour-time.Millisecond))
		w.wantDead(t, g.ID, noon.Add(time.Hour))

		r = w.redemption("absolute", "code", noon)
		r.Grant.Offline, r.Grant.IdleFor, r.Grant.ExpiresAt = true, 48*time.Hour, storage.At(noon.Add(24*time.Hour))
		g = w.redeem(t, r, noon)
		w.wantAlive(t, g.ID, noon.Add(24*time.Hour-time.Millisecond))
		w.wantDead(t, g.ID, noon.Add(24*time.Hour))
	})
}

func TestLiveGrant_NotBeforeOfTheInstance(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(`UPDATE instance SET not_before = ?`, storage.At(noon)).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, g.ID, noon)
		_, _, err = w.SessionByHandle(t.Context(), "handle of alice", noon)
		wantError(t, "session made at not_before", err, storage.ErrNotFound)
		w.session = w.signIn(t, w.user.ID, "new handle", "handle of alice", noon)
		w.wantAlive(t, w.redeem(t, w.redemption("new", "code", noon), noon).ID, noon)
	})
}

func TestLiveGrant_RefusesASpentToken(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(`INSERT INTO spent (kind, id, expires_at) VALUES ('jti', 'revoked', 1)`).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = w.LiveGrant(t.Context(), g.ID, "revoked", noon)
		wantError(t, "revoked token", err, storage.ErrNotFound)
		if _, _, err := w.LiveGrant(t.Context(), g.ID, "another", noon); err != nil {
			t.Errorf("another token of the grant: %v", err)
		}
	})
}

func TestRevokeGrant(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		other := w.redeem(t, w.redemption("other", "code", noon), noon)
		for range 2 {
			if err := w.RevokeGrant(t.Context(), g.ID, "token_revoked", storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
		}
		w.wantDead(t, g.ID, noon)
		w.wantAlive(t, other.ID, noon)
		events := slices.DeleteFunc(w.events(t), func(e storage.EventType) bool { return e != storage.GrantRevoked })
		if len(events) != 1 {
			t.Errorf("%d events grant.revoked, want one", len(events))
		}
		if err := w.RevokeGrant(t.Context(), "unknown", "token_revoked", storage.By{At: noon}); err != nil {
			t.Errorf("revoke an unknown grant: %v", err)
		}
	})
}
