package storage_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestRedeemCode_OpensTheGrantOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Minute)
		r := w.redemption("request", "code", at)
		opened := w.redeem(t, r, at)
		if opened.Generation != 1 || opened.CreatedAt != storage.At(at) || opened.RotatedAt != storage.At(at) ||
			opened.IdleExpiresAt != storage.At(at.Add(7*24*time.Hour)) {
			t.Errorf("grant %+v: want generation 1 and times from %d", opened, storage.At(at))
		}
		read, user, err := w.LiveGrant(t.Context(), opened.ID, "", at)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, opened) {
			t.Errorf("read %+v\nwant %+v", read, opened)
		}
		if user.ID != w.user.ID || user.Email != w.user.Email {
			t.Errorf("user %+v, want %+v", user, w.user)
		}
	})
}

// CO-05: the revocation that a replay causes is committed, although the caller gets an
// error.
func TestRedeemCode_ReplayRevokesTheGrantAndIsCommitted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.redemption("request", "code", noon)
		g := w.redeem(t, r, noon)
		other := w.redeem(t, w.redemption("other request", "other code", noon), noon)

		again := r
		again.Grant.ID = "gid of the attacker"
		_, err := w.RedeemCode(t.Context(), again, noon.Add(time.Second))
		wantError(t, "replay", err, storage.ErrReplayed)

		w.wantDead(t, g.ID, noon.Add(time.Second))
		w.wantDead(t, again.Grant.ID, noon.Add(time.Second))
		w.wantAlive(t, other.ID, noon.Add(time.Second))
		second := w.backend.Open(t) // another handle sees only committed changes
		_, _, err = second.LiveGrant(t.Context(), g.ID, "", noon)
		wantError(t, "read through another handle", err, storage.ErrNotFound)
		if !slices.Contains(w.events(t), storage.GrantReplayed) {
			t.Error("no event grant.replayed")
		}
	})
}

func TestRedeemCode_ReplayOfFirstPartyEndsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.redemption("request", "code", noon)
		r.Grant.FirstParty = true
		w.redeem(t, r, noon)
		_, err := w.RedeemCode(t.Context(), r, noon)
		wantError(t, "replay", err, storage.ErrReplayed)
		_, _, err = w.SessionByHandle(t.Context(), "handle of alice", noon)
		wantError(t, "session after the replay", err, storage.ErrNotFound)
	})
}

func TestRedeemCode_LateReplayRevokesAnOfflineGrant(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.redemption("request", "code", noon)
		r.Grant.Offline = true
		g := w.redeem(t, r, noon)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantAlive(t, g.ID, noon)
		_, err := w.RedeemCode(t.Context(), r, noon.Add(time.Hour))
		wantError(t, "replay after the session has ended", err, storage.ErrReplayed)
		w.wantDead(t, g.ID, noon.Add(time.Hour))
	})
}

func TestRedeemCode_SiblingIsRefusedAndRevokesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		_, err := w.RedeemCode(t.Context(), w.redemption("request", "sibling", noon), noon)
		wantError(t, "sibling", err, storage.ErrExpired)
		w.wantAlive(t, g.ID, noon)
	})
}

func TestRedeemCode_NeedsALiveSessionUserAndClient(t *testing.T) {
	ends := map[string]func(t *testing.T, w *world) error{
		"session ended": func(t *testing.T, w *world) error {
			return w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon})
		},
		"user disabled": func(t *testing.T, w *world) error {
			return w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon})
		},
		"user disabled and enabled again": func(t *testing.T, w *world) error {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
				return err
			}
			return w.SetUserEnabled(t.Context(), w.user.ID, true, storage.By{At: noon})
		},
		"client disabled": func(t *testing.T, w *world) error {
			return w.SetClientEnabled(t.Context(), w.client.ID, false, storage.By{At: noon})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				if err := end(t, w); err != nil {
					t.Fatal(err)
				}
				r := w.redemption("request", "code", noon)
				_, err := w.RedeemCode(t.Context(), r, noon)
				wantError(t, name, err, storage.ErrRevoked)
				w.wantDead(t, r.Grant.ID, noon)
				_, err = w.OpenGrant(t.Context(), r.Grant, storage.Origin{}, noon)
				wantError(t, name+", without a code", err, storage.ErrRevoked)
				w.wantDead(t, r.Grant.ID, noon)
			})
		})
	}
}

// OpenGrant opens a grant without a code, again and again, until the consent is withdrawn.
func TestOpenGrant_OpensGrantWithoutCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		var last storage.Grant
		for _, id := range []string{"first", "second"} {
			wanted := w.redemption("request", "code", noon).Grant
			wanted.ID = id
			opened, err := w.OpenGrant(t.Context(), wanted, storage.Origin{}, noon)
			if err != nil {
				t.Fatal(err)
			}
			if read, _, err := w.LiveGrant(t.Context(), id, "", noon); err != nil || !reflect.DeepEqual(read, opened) {
				t.Errorf("read %+v, %v\nwant %+v", read, err, opened)
			}
			last = opened
		}
		allowed := storage.ConsentAnswer{
			Consent:  storage.Consent{UserID: w.user.ID, ClientID: w.client.ID, Scopes: []string{"openid"}, GrantedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour))},
			Remember: true, SessionID: w.session.ID, RequestID: "request",
		}
		if err := w.AllowConsent(t.Context(), allowed, noon); err != nil {
			t.Fatal(err)
		}
		if err := w.WithdrawConsent(t.Context(), w.user.ID, w.client.ID, storage.By{At: noon.Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, last.ID, noon.Add(time.Second))
		last.ID = "third"
		_, err := w.OpenGrant(t.Context(), last, storage.Origin{}, noon.Add(time.Second))
		wantError(t, "after the consent was withdrawn", err, storage.ErrRevoked)
	})
}

func TestRedeemCode_SessionExpiry(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		last := w.session.IdleExpiresAt.Time()
		_, err := w.RedeemCode(t.Context(), w.redemption("request", "late", last), last)
		wantError(t, "at the session's idle expiry", err, storage.ErrRevoked)
		w.redeem(t, w.redemption("request", "in time", last), last.Add(-time.Millisecond))
	})
}

func TestRedeemCode_SeesTheSessionAtMostEveryFiveMinutes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		seen := func() storage.Session {
			s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.redeem(t, w.redemption("1", "code", noon), noon.Add(5*time.Minute-time.Millisecond))
		if s := seen(); s.SeenAt != w.session.SeenAt {
			t.Errorf("seen at %d after less than five minutes, want %d", s.SeenAt, w.session.SeenAt)
		}
		at := noon.Add(5 * time.Minute)
		w.redeem(t, w.redemption("2", "code", noon), at)
		if s := seen(); s.SeenAt != storage.At(at) || s.IdleExpiresAt != storage.At(at.Add(12*time.Hour)) || s.ExpiresAt != w.session.ExpiresAt {
			t.Errorf("session %+v: want it seen at %d, a later idle expiry and the same absolute expiry", s, storage.At(at))
		}
	})
}

func TestRedeemCode_OneFirstPartyGrantPerSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.redemption("1", "code", noon)
		first.Grant.FirstParty = true
		w.redeem(t, first, noon)
		second := w.redemption("2", "code", noon)
		second.Grant.FirstParty = true
		_, err := w.RedeemCode(t.Context(), second, noon)
		wantError(t, "second first-party grant", err, storage.ErrConflict)
		if err := w.RevokeGrant(t.Context(), first.Grant.ID, "revoked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.redeem(t, second, noon) // the refused attempt has not spent the code
	})
}

func TestSpendCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		until := storage.At(noon.Add(24 * time.Hour))
		spend := func(request, code string, replay bool) error {
			return w.SpendCode(t.Context(), storage.CodeRefusal{RequestID: request, CodeID: code, SpentUntil: until, RevokesReplayed: replay}, storage.By{At: noon})
		}
		if err := spend("never redeemed", "code", true); err != nil {
			t.Fatalf("spend a fresh code: %v", err)
		}
		_, err := w.RedeemCode(t.Context(), w.redemption("never redeemed", "code", noon), noon)
		wantError(t, "redeem a spent code", err, storage.ErrReplayed)

		g := w.redeem(t, w.redemption("redeemed", "code", noon), noon)
		if err := spend("redeemed", "code", false); err != nil {
			t.Errorf("wrong verifier after the redemption: %v, want no error", err)
		}
		if err := spend("redeemed", "sibling", true); err != nil {
			t.Errorf("expired sibling: %v, want no error", err)
		}
		w.wantAlive(t, g.ID, noon)
		wantError(t, "late replay", spend("redeemed", "code", true), storage.ErrReplayed)
		w.wantDead(t, g.ID, noon)
	})
}

// A user is disabled while a code is redeemed. The offline grant of the code must not
// become valid when the user is enabled again.
func TestRedeemCode_RaceWithDisablingLeavesNoGrant(t *testing.T) {
	w := newWorld(t, storagetest.Postgres(t))
	for round := range 20 {
		at := noon.Add(time.Duration(round) * time.Minute)
		w.session = w.signIn(t, w.user.ID, storage.NewID("h"), "", at)
		r := w.redemption(storage.NewID("r"), "code", at)
		r.Grant.Offline = true
		results := together(2, func(i int) error {
			if i == 0 {
				return w.SetUserEnabled(context.Background(), w.user.ID, false, storage.By{At: at})
			}
			_, err := w.RedeemCode(context.Background(), r, at.Add(time.Second)) // by a node whose clock is ahead
			return err
		})
		if results[0] != nil || results[1] != nil && outcome(results[1]) != "revoked" {
			t.Fatalf("outcomes %v", results)
		}
		if err := w.SetUserEnabled(t.Context(), w.user.ID, true, storage.By{At: at}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, r.Grant.ID, at.Add(2*time.Second))
	}
}
