package storage_test

import (
	"context"
	"testing"
	"time"

	"signet/storage"
)

const deviceLife = 10 * time.Minute

// openDevice stores a device code of the world's client.
func (w *world) openDevice(t testing.TB, id string, at time.Time) storage.DeviceCode {
	t.Helper()
	d := storage.DeviceCode{
		ID: id, UserCode: "code of " + id, ClientID: w.client.ID, Scopes: []string{"openid", "profile"}, Resources: []string{"https://api.example.com"},
		Address: "192.0.2.9", ExpiresAt: storage.At(at.Add(deviceLife)),
	}
	if err := w.OpenDeviceCode(t.Context(), d, nil, at); err != nil {
		t.Fatalf("open device code: %v", err)
	}
	return d
}

// deviceAnswer returns the answer of alice in the world's session.
func (w *world) deviceAnswer(id string) storage.DeviceAnswer {
	return storage.DeviceAnswer{
		ID: id, ClientID: w.client.ID, UserID: w.user.ID, SessionID: w.session.ID, Scopes: []string{"openid"},
		SignIn: storage.DeviceSignIn{AuthTime: w.session.AuthTime, ACR: "acr", AMR: []string{"pwd"}},
	}
}

// deviceRedemption returns the redemption of a device code for a grant of this ID.
func deviceRedemption(id, grantID string, at time.Time) storage.DeviceRedemption {
	return storage.DeviceRedemption{ID: id, Grant: func(d storage.DeviceCode) (storage.Grant, error) {
		return storage.Grant{ID: grantID, Scopes: d.Scopes, Resources: d.Resources, IdleFor: time.Hour, ExpiresAt: storage.At(at.Add(24 * time.Hour))}, nil
	}}
}

func (w *world) approveDevice(t testing.TB, id string, at time.Time) {
	t.Helper()
	if err := w.ApproveDevice(t.Context(), w.deviceAnswer(id), at); err != nil {
		t.Fatalf("approve device: %v", err)
	}
}

func TestRedeemDeviceCode_OpensTheApprovedGrantOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.openDevice(t, "d", noon)
		_, err := w.RedeemDeviceCode(t.Context(), deviceRedemption("d", "gid", noon), noon)
		wantError(t, "before the approval", err, storage.ErrNotFound)
		w.approveDevice(t, "d", noon)
		wantError(t, "a second answer", w.DenyDevice(t.Context(), w.deviceAnswer("d"), noon), storage.ErrConflict)
		wantError(t, "an unknown code", w.DenyDevice(t.Context(), w.deviceAnswer("other"), noon), storage.ErrNotFound)

		g, err := w.RedeemDeviceCode(t.Context(), deviceRedemption("d", "gid", noon), noon)
		if err != nil {
			t.Fatal(err)
		}
		if g.UserID != w.user.ID || g.SessionID != w.session.ID || g.ACR != "acr" || len(g.Scopes) != 1 || len(g.Resources) != 0 || g.AuthTime != w.session.AuthTime {
			t.Errorf("grant %+v: want the approved rights and the facts of the session", g)
		}
		w.wantAlive(t, "gid", noon)
		later := noon.Add(time.Hour) // after the expiry too
		_, err = w.RedeemDeviceCode(t.Context(), deviceRedemption("d", "gid of the attacker", noon), later)
		wantError(t, "replay", err, storage.ErrReplayed)
		w.wantDead(t, "gid", later)
		w.wantDead(t, "gid of the attacker", later)
	})
}

// A device code needs everything live between the approval and the redemption.
func TestRedeemDeviceCode_NeedsALiveSessionUserAndClient(t *testing.T) {
	by := storage.By{At: noon.Add(time.Minute)}
	ends := map[string]func(ctx context.Context, w *world) error{
		"session ended": func(ctx context.Context, w *world) error {
			return w.EndSession(ctx, w.user.ID, w.session.ID, "signed_out", by)
		},
		"signed out everywhere": func(ctx context.Context, w *world) error {
			return w.SignOutEverywhere(ctx, w.user.ID, "asked", by)
		},
		"user disabled":   func(ctx context.Context, w *world) error { return w.SetUserEnabled(ctx, w.user.ID, false, by) },
		"client disabled": func(ctx context.Context, w *world) error { return w.SetClientEnabled(ctx, w.client.ID, false, by) },
		"consent withdrawn": func(ctx context.Context, w *world) error {
			if _, err := w.RedeemCode(ctx, w.redemption("r", "c", noon), noon); err != nil {
				return err
			}
			return w.WithdrawConsent(ctx, w.user.ID, w.client.ID, by)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.openDevice(t, "d", noon)
				w.openDevice(t, "pending", noon)
				w.approveDevice(t, "d", noon)
				if err := end(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				_, err := w.RedeemDeviceCode(t.Context(), deviceRedemption("d", "gid", noon), by.At)
				wantError(t, "redeem", err, storage.ErrRevoked)
				if name != "consent withdrawn" { // the user may decide anew
					wantError(t, "approve", w.ApproveDevice(t.Context(), w.deviceAnswer("pending"), by.At), storage.ErrRevoked)
				}
			})
		})
	}
}
