package providertest

import (
	"context"
	"slices"
	"testing"

	"signet/provider"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Keeper returns the keeper that the command line uses to change keys, with default
// lifetimes.
func (b *Testbed) Keeper(t *testing.T) *keeper.Keeper {
	t.Helper()
	return b.KeeperOf(t, provider.Lifetimes{})
}

// KeeperOf returns the keeper of a provider with these lifetimes.
func (b *Testbed) KeeperOf(t *testing.T, of provider.Lifetimes) *keeper.Keeper {
	t.Helper()
	opened, err := vault.New(vault.Config{Master: [32]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.New(keeper.Config{DB: b.DB, Vault: opened, Life: of.KeyLife(keeper.Life{})})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Kid returns the id of the key of this line in this state.
func (b *Testbed) Kid(t *testing.T, line string, state storage.KeyState) string {
	t.Helper()
	rows, err := b.DB.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rows, func(k storage.Key) bool { return k.Line == line && k.State == state })
	if i < 0 {
		t.Fatalf("line %s has no key in state %s", line, state)
	}
	return rows[i].ID
}

// RevokeKey revokes the line's active key, as an operator does.
func (b *Testbed) RevokeKey(t *testing.T, line string) {
	t.Helper()
	if _, err := b.Keeper(t).Revoke(t.Context(), b.Kid(t, line, storage.KeyActive), "leaked", storage.By{From: storage.Origin{Actor: "cli"}, At: b.Now()}); err != nil {
		t.Fatal(err)
	}
}
