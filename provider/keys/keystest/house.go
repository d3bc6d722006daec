package keystest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Issuer is that of a house.
const Issuer = "https://id.example.com"

// Noon is when the clock of a house stands still.
var Noon = time.Unix(1_800_000_000, 0).UTC()

// Master is the master key of a house.
var Master = sha256.Sum256([]byte("the master key"))

// Config is that of ring, keeper and vault.
type Config struct {
	DB         *storage.DB
	Vault      vault.Config
	Issuer     string
	Algorithms []string
	Life       keeper.Life
	Now        func() time.Time
	Log        *slog.Logger
}

// House is a ring with its keeper and its rotator, as a server has them.
type House struct {
	*keys.Ring
	*keeper.Keeper
	*keeper.Rotator
	DB     *storage.DB
	Dir    string
	Config Config
	Log    *bytes.Buffer
}

// Start opens the ring and starts its lines, as a server does.
func Start(ctx context.Context, c Config) (*House, error) {
	h := &House{DB: c.DB, Config: c}
	opened, err := vault.New(c.Vault)
	if err != nil {
		return nil, err
	}
	if h.Ring, err = keys.Open(ctx, keys.Config{DB: c.DB, Vault: opened, Issuer: c.Issuer, Algorithms: c.Algorithms, Now: c.Now, Log: c.Log}); err != nil {
		return nil, err
	}
	if h.Keeper, err = keeper.New(keeper.Config{DB: c.DB, Vault: opened, Algorithms: c.Algorithms, Life: c.Life}); err != nil {
		return nil, err
	}
	h.Rotator = keeper.NewRotator(h.Keeper, h.Ring, c.Log)
	return h, h.Start(ctx, h.Ring, c.Now())
}

// Keeper gives a keeper alone, as a command has it.
func Keeper(t testing.TB, db *storage.DB, c vault.Config) *keeper.Keeper {
	t.Helper()
	opened, err := vault.New(c)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.New(keeper.Config{DB: db, Vault: opened})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Open makes a house with its first keys on SQLite.
func Open(t testing.TB, algorithms ...string) *House {
	t.Helper()
	return Enter(t, algorithms, nil)
}

// Enter opens a house on a new database that holds the given rows.
func Enter(t testing.TB, algorithms []string, rows []storage.Key) *House {
	t.Helper()
	dir, log := t.TempDir(), &bytes.Buffer{}
	db, err := storage.Open(t.Context(), storage.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.StartKeyLines(t.Context(), rows, storage.By{At: Noon}); err != nil {
		t.Fatal(err)
	}
	h, err := Start(t.Context(), Config{
		DB: db, Vault: vault.Config{Master: Master}, Issuer: Issuer, Algorithms: algorithms,
		Now: func() time.Time { return Noon }, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Dir, h.Log = dir, log
	return h
}

// Altered opens the same house after somebody has changed the rows.
func (h *House) Altered(t testing.TB, change func(*storage.Key)) *House {
	t.Helper()
	return Enter(t, h.Config.Algorithms, h.Changed(t, change))
}

// Changed gives the rows as somebody has changed them.
func (h *House) Changed(t testing.TB, change func(*storage.Key)) []storage.Key {
	t.Helper()
	rows := h.Rows(t)
	for i := range rows {
		change(&rows[i])
	}
	return rows
}

// Rotated promotes every next key, as a rotation does.
func Rotated(k *storage.Key) {
	switch k.State {
	case storage.KeyActive:
		k.State, k.RetiredAt = storage.KeyRetired, storage.At(Noon)
	case storage.KeyNext:
		k.State, k.ActivatedAt = storage.KeyActive, storage.At(Noon)
	}
}

// Again opens another ring on the same database, as another node or after a restart.
func (h *House) Again(t testing.TB, change func(*Config)) (*House, error) {
	t.Helper()
	c := h.Config
	change(&c)
	return Start(t.Context(), c)
}

// Rows gives all keys.
func (h *House) Rows(t testing.TB) []storage.Key {
	t.Helper()
	rows, err := h.DB.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Key gives the key of a line in a state.
func (h *House) Key(t testing.TB, line string, state storage.KeyState) storage.Key {
	t.Helper()
	rows := h.Rows(t)
	i := slices.IndexFunc(rows, func(row storage.Key) bool { return row.Line == line && row.State == state })
	if i < 0 {
		t.Fatalf("no %s key on line %s", state, line)
	}
	return rows[i]
}

// Kid gives its id.
func (h *House) Kid(t testing.TB, line string, state storage.KeyState) string {
	t.Helper()
	return h.Key(t, line, state).ID
}

// States counts the keys of a line.
func (h *House) States(t testing.TB, line string) map[storage.KeyState]int {
	t.Helper()
	n := map[storage.KeyState]int{}
	for _, k := range h.Rows(t) {
		if k.Line == line {
			n[k.State]++
		}
	}
	return n
}

// Published gives the kids of the JWKS.
func (h *House) Published(t testing.TB) []string {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(h.JWKS().Body, &set); err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}
