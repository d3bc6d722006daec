package keeper_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"signet/provider/keys/keystest"
	"signet/provider/keys/vault"
	"signet/storage"
)

// addApp stores an authenticator app of a new user and returns the ID of the user.
func addApp(t *testing.T, h *keystest.Node, email string, secret []byte) string {
	t.Helper()
	user, err := h.DB.CreateUser(t.Context(), storage.User{Email: email}, "", storage.By{At: keystest.Noon})
	if err != nil {
		t.Fatal(err)
	}
	in := storage.SignIn{UserID: user.ID, HandleHash: email, ACR: storage.ACROneFactor, IdleFor: time.Hour, AbsoluteFor: time.Hour}
	session, err := h.DB.SignIn(t.Context(), in, keystest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	e := storage.TOTPEnrolment{
		FactorChange: storage.FactorChange{UserID: user.ID, SessionID: session.ID, Handle: "new " + email, FreshFor: time.Minute},
		ID:           storage.NewID("crd_"), Step: 1,
	}
	e.Secret, err = h.SealFactor(e.ID, secret)
	if err != nil || bytes.Contains(e.Secret, secret) {
		t.Fatalf("sealed %x, %v", e.Secret, err)
	}
	if _, _, err := h.DB.AddTOTP(t.Context(), e, keystest.Noon); err != nil {
		t.Fatal(err)
	}
	return user.ID
}

// appOf reads the authenticator app of a user.
func appOf(t *testing.T, h *keystest.Node, userID string) storage.TOTP {
	t.Helper()
	has, err := h.DB.SecondFactorsOf(t.Context(), userID)
	if err != nil || has.TOTP == nil {
		t.Fatalf("factors %+v, %v", has, err)
	}
	return *has.TOTP
}

// MF-09: the secret of an app opens only in its own row. A rewrap moves it to the new master key,
// and a server that runs meanwhile opens it too.
func TestRewrap_MovesTheSecretsOfApps(t *testing.T) {
	h := keystest.Open(t, "ES256")
	old, target := keystest.Master, [32]byte{7, 7, 7}
	current := [][32]byte{old}
	running, err := h.OpenAgain(t, func(c *keystest.Config) { c.Vault.Masters = func() ([][32]byte, error) { return current, nil } })
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("12345678901234567890")
	alice, bob := addApp(t, h, "alice@example.com", secret), addApp(t, h, "bob@example.com", []byte("09876543210987654321"))
	first := appOf(t, h, alice)
	if _, err := h.OpenFactor(t.Context(), appOf(t, h, bob).ID, first.Secret, keystest.Noon); !errors.Is(err, vault.ErrNotOpened) {
		t.Errorf("in the row of another user: got %v, want ErrNotOpened", err)
	}
	before, err := h.RecoveryCodeHash(alice, "0123456789")
	if err != nil {
		t.Fatal(err)
	}
	current = [][32]byte{old, target}
	command := keystest.Keeper(t, h.DB, vault.Config{Master: old, Masters: func() ([][32]byte, error) { return current, nil }})
	for range 2 {
		if _, _, err := command.Rewrap(t.Context(), storage.By{At: keystest.Noon}); err != nil {
			t.Fatal(err)
		}
	}
	moved := appOf(t, h, alice)
	if bytes.Equal(moved.Secret, first.Secret) {
		t.Error("the secret was not sealed again")
	}
	fresh, err := h.OpenAgain(t, func(c *keystest.Config) { c.Vault.Master = target })
	if err != nil {
		t.Fatal(err)
	}
	for name, node := range map[string]*keystest.Node{"a server with the new master key": fresh, "a server that was running": running} {
		if got, err := node.OpenFactor(t.Context(), moved.ID, moved.Secret, keystest.Noon); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := node.RecoveryCodeHash(alice, "0123456789"); err != nil || !bytes.Equal(got, before) {
			t.Errorf("%s hashes a recovery code to %x, %v, want %x", name, got, err, before)
		}
	}
	if _, err := h.OpenFactor(t.Context(), moved.ID, moved.Secret, keystest.Noon); err == nil {
		t.Error("a server with the old master key opens the secret")
	}
}
