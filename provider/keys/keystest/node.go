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

// Issuer is the issuer of every test node.
const Issuer = "https://id.example.com"

// Noon is the time that the clock of a test node always shows.
var Noon = time.Unix(1_800_000_000, 0).UTC()

// Master is the master key of every test node.
var Master = sha256.Sum256([]byte("the master key"))

// Config configures the ring, the keeper and the vault of a node.
type Config struct {
	DB         *storage.DB
	Vault      vault.Config
	Issuer     string
	Algorithms []string
	Life       keeper.Life
	Now        func() time.Time
	Log        *slog.Logger
}

// Node is a ring with its keeper and its rotator, as in a running server.
type Node struct {
	*keys.Ring
	*keeper.Keeper
	*keeper.Rotator
	DB     *storage.DB
	Dir    string
	Config Config
	Log    *bytes.Buffer
}

// Start opens the ring and makes the first keys of its lines, as a server does at its start.
func Start(ctx context.Context, c Config) (*Node, error) {
	h := &Node{DB: c.DB, Config: c}
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

// Keeper returns a keeper without a ring, as commands use it.
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

// Open makes a node with its first keys, on a new SQLite database.
func Open(t testing.TB, algorithms ...string) *Node {
	t.Helper()
	return OpenRows(t, algorithms, nil)
}

// OpenRows makes a node on a new SQLite database that already holds the given rows.
func OpenRows(t testing.TB, algorithms []string, rows []storage.Key) *Node {
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

// OpenAltered makes a node on a new database with a copy of this node's rows, each passed
// through change. The rows of this node do not change.
func (h *Node) OpenAltered(t testing.TB, change func(*storage.Key)) *Node {
	t.Helper()
	return OpenRows(t, h.Config.Algorithms, h.AlteredRows(t, change))
}

// AlteredRows returns a copy of the rows, each passed through change.
func (h *Node) AlteredRows(t testing.TB, change func(*storage.Key)) []storage.Key {
	t.Helper()
	rows := h.Rows(t)
	for i := range rows {
		change(&rows[i])
	}
	return rows
}

// PromoteNext changes the state of a row as a rotation does: next becomes active, active
// becomes retired.
func PromoteNext(k *storage.Key) {
	switch k.State {
	case storage.KeyActive:
		k.State, k.RetiredAt = storage.KeyRetired, storage.At(Noon)
	case storage.KeyNext:
		k.State, k.ActivatedAt = storage.KeyActive, storage.At(Noon)
	}
}

// OpenAgain opens another node on the same database, as a second server does, or the same
// server after a restart.
func (h *Node) OpenAgain(t testing.TB, change func(*Config)) (*Node, error) {
	t.Helper()
	c := h.Config
	change(&c)
	return Start(t.Context(), c)
}

// Rows returns all keys in the database.
func (h *Node) Rows(t testing.TB) []storage.Key {
	t.Helper()
	rows, err := h.DB.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Key returns the first key of a line that is in the state.
func (h *Node) Key(t testing.TB, line string, state storage.KeyState) storage.Key {
	t.Helper()
	rows := h.Rows(t)
	i := slices.IndexFunc(rows, func(row storage.Key) bool { return row.Line == line && row.State == state })
	if i < 0 {
		t.Fatalf("no %s key on line %s", state, line)
	}
	return rows[i]
}

// Kid returns the id of the first key of a line that is in the state.
func (h *Node) Kid(t testing.TB, line string, state storage.KeyState) string {
	t.Helper()
	return h.Key(t, line, state).ID
}

// States counts the keys of a line by state.
func (h *Node) States(t testing.TB, line string) map[storage.KeyState]int {
	t.Helper()
	n := map[storage.KeyState]int{}
	for _, k := range h.Rows(t) {
		if k.Line == line {
			n[k.State]++
		}
	}
	return n
}

// Published returns the kids in the JWKS.
func (h *Node) Published(t testing.TB) []string {
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
