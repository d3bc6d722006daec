package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/provider/keys/vault"
	"signet/storage"
)

var (
	// ErrInvalid: the token or message is altered, is of another kind or issuer, or was
	// made with an unknown key. None of its content may be used.
	ErrInvalid = errors.New("invalid")
	// ErrExpired: the token or message is genuine and has expired.
	ErrExpired = errors.New("expired")
	// ErrNoKey: a line has no active key that can sign.
	ErrNoKey = errors.New("no usable key")
)

// Config configures a ring.
type Config struct {
	DB         *storage.DB
	Vault      *vault.Vault
	Issuer     string
	Algorithms []string // lines to sign with; default ES256, RS256
	Now        func() time.Time
	Log        *slog.Logger
}

// Ring signs and verifies with the keys that are in use. It is safe for concurrent use.
// Signing and verifying take no lock and do not read the database. The ring reads the
// database again only for an unknown key, at most once a second.
type Ring struct {
	db         *storage.DB
	vault      *vault.Vault
	algorithms []string
	issuer     string
	log        *slog.Logger
	now        func() time.Time

	inUse    atomic.Pointer[keySet]
	pairwise atomic.Pointer[[]byte] // see PairwiseSubject; nil until it is loaded
	recovery atomic.Pointer[[]byte] // see RecoveryCodeHash; loaded with pairwise

	reloading sync.Mutex          // one reload at a time: an older read must not replace a newer one
	reported  map[string]struct{} // rows that were reported as unusable; guarded by reloading

	missing  sync.Mutex
	lastRead time.Time // when the keys were last read for an unknown key; guarded by missing
}

// Open reads the keys and returns a ring that uses them. It does not change the database:
// keeper.Start makes the first keys of a line and reloads the ring. A single row that does
// not open is skipped and logged; see Ready.
//
// vault.ErrMasterKey: the database holds keys and none of them opens. vault.ErrModule: keys
// are in a module that does not answer or holds none of them.
func Open(ctx context.Context, c Config) (*Ring, error) {
	r, err := newRing(c)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := r.reload(ctx); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := r.vault.CheckModule(r.Inventory()); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return r, nil
}

func newRing(c Config) (*Ring, error) {
	algorithms, err := vault.PublishedLines(c.Algorithms)
	if err != nil {
		return nil, err
	}
	r := &Ring{
		db: c.DB, vault: c.Vault, algorithms: algorithms, issuer: c.Issuer, log: c.Log, now: c.Now,
		reported: map[string]struct{}{},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.issuer == "" {
		return nil, errors.New("the issuer is empty")
	}
	return r, nil
}

// ReloadOnce reads the keys again and replaces signers, verifiers and JWKS in one step. The
// caller calls it when the change counter has changed. If the read fails, or if no row
// opens, the ring goes on with the keys in use.
func (r *Ring) ReloadOnce(ctx context.Context, _ time.Time) error {
	if err := r.reload(ctx); err != nil {
		return fmt.Errorf("reload keys: %w", err)
	}
	return nil
}

func (r *Ring) reload(ctx context.Context) error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	rows, err := r.db.Keys(ctx)
	if err != nil {
		return err
	}
	return r.use(rows)
}

// use opens the rows and uses their keys from now on. If an error occurs, nothing changes.
// Unchanged rows are ignored: the change counter also counts changes of clients, and a new
// keySet would start with an empty cache of verified tokens. The caller holds reloading.
func (r *Ring) use(rows []storage.Key) error {
	if before := r.inUse.Load(); before != nil && len(before.opened.Unusable) == 0 && reflect.DeepEqual(rows, before.opened.Rows) {
		return nil
	}
	opened, err := r.vault.Open(rows)
	if err != nil {
		return err
	}
	set, err := assemble(opened)
	if err != nil {
		return err
	}
	r.report(opened.Unusable)
	r.inUse.Store(set)
	return nil
}

// report logs each unusable row once, not at every reload.
func (r *Ring) report(rows []vault.Unusable) {
	for _, u := range rows {
		id := u.Row.Line + "\x00" + u.Row.ID
		if _, known := r.reported[id]; known {
			continue
		}
		r.reported[id] = struct{}{}
		r.log.Error("signing key skipped", "kid", u.Row.ID, "alg", u.Row.Line,
			"state", string(u.Row.State), "error", u.Err)
	}
}

// Inventory returns the inventory of the keys in use, for the schedule. Callers must not
// write to it.
func (r *Ring) Inventory() vault.Inventory { return r.inUse.Load().opened.Inventory }

// JWKS returns the ready document of the published keys: next, active and retired.
// Callers share Body and must not write to it.
func (r *Ring) JWKS() vault.JWKS { return r.inUse.Load().jwks }

// lookUp returns a key and the key set that holds it. find looks the key up in a set. If
// the key is unknown, lookUp may read the keys again; see refreshUnknown.
func lookUp[K any](r *Ring, find func(*keySet) *K) (*keySet, *K) {
	set := r.inUse.Load()
	k := find(set)
	if k == nil && r.refreshUnknown(set) {
		set = r.inUse.Load()
		k = find(set)
	}
	return set, k
}

// unknownKeyInterval is the shortest time between two reads for an unknown key: a flood
// of random kids costs one read in this time.
const unknownKeyInterval = time.Second

// refreshUnknown reads the keys again if known lacks a key: another node may have just
// begun to use it. It reports whether the ring uses another key set than known now.
func (r *Ring) refreshUnknown(known *keySet) bool {
	r.missing.Lock()
	defer r.missing.Unlock()
	if r.inUse.Load() != known {
		return true
	}
	now := r.now()
	if now.Sub(r.lastRead).Abs() < unknownKeyInterval {
		return false
	}
	r.lastRead = now
	return r.reloadReplaces(known)
}

// reloadReplaces reads the keys again. It reports whether the ring uses another key set
// than known now. A failed read is only logged.
func (r *Ring) reloadReplaces(known *keySet) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := r.reload(ctx); err != nil {
		r.log.Warn("cannot read the keys again", "error", err)
	}
	return r.inUse.Load() != known
}

// SigningAlgorithms lists the names of the algorithms that this program can sign with. It
// may have no key for some of them.
func SigningAlgorithms() []string { return vault.SigningAlgorithms() }

// DefaultAlgorithms lists the algorithms that every installation signs with.
func DefaultAlgorithms() []string { return vault.DefaultAlgorithms() }

// Algorithms lists the algorithms that can sign now, in the configured order.
func (r *Ring) Algorithms() []string {
	set := r.inUse.Load()
	var usable []string
	for _, name := range r.algorithms {
		if set.signing[name] != nil {
			usable = append(usable, name)
		}
	}
	return usable
}

// Ready returns nil if every configured line and the internal line can sign.
//
// ErrNoKey, with the name of the line; vault.ErrModule.
func (r *Ring) Ready() error {
	set := r.inUse.Load()
	for _, name := range r.algorithms {
		if set.signing[name] == nil {
			return NoKey(name)
		}
	}
	if set.secret == nil {
		return NoKey(storage.InternalLine)
	}
	return r.vault.Ready()
}

// NoKey returns ErrNoKey with the name of the line.
func NoKey(line string) error { return fmt.Errorf("%w on line %s", ErrNoKey, line) }

// signer returns the active key of a configured algorithm. ErrNoKey.
func (r *Ring) signer(set *keySet, alg string) (*signingKey, error) {
	k := set.signing[alg]
	if k == nil || !slices.Contains(r.algorithms, alg) {
		return nil, NoKey(alg)
	}
	return k, nil
}

// SealToken seals the token of an upstream for the row of an identity.
func (r *Ring) SealToken(i storage.Identity, token []byte) ([]byte, error) {
	sealed, err := r.inUse.Load().opened.SealToken(i, token)
	if err != nil {
		return nil, fmt.Errorf("seal upstream token: %w", err)
	}
	return sealed, nil
}
