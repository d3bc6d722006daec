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
	// ErrInvalid: not a token or message of this kind, of this issuer, under a
	// key we have; or altered. Nothing in it may be used.
	ErrInvalid = errors.New("invalid")
	// ErrExpired: genuine, and its time is over.
	ErrExpired = errors.New("expired")
	// ErrNoKey: a line has no key that can sign.
	ErrNoKey = errors.New("no usable key")
)

// Config of a ring.
type Config struct {
	DB         *storage.DB
	Vault      *vault.Vault
	Issuer     string
	Algorithms []string // lines to sign with; default ES256, RS256
	Now        func() time.Time
	Log        *slog.Logger
}

// Ring holds the keys that are in use. It is safe for concurrent use; signing and
// verifying take no lock and ask no database. Only a key that is not known is looked
// for there, at most once a second.
type Ring struct {
	db         *storage.DB
	vault      *vault.Vault
	algorithms []string
	issuer     string
	log        *slog.Logger
	now        func() time.Time

	inUse atomic.Pointer[keySet]

	reloading sync.Mutex          // one reload at a time: an older read must not win
	reported  map[string]struct{} // rows that were reported as unusable; under reloading

	missing sync.Mutex
	asked   time.Time // when an unknown key was last looked for; under missing
}

// Open loads the ring. It changes nothing: keeper.Start gives the lines that have no key
// their first ones, and lets the ring follow.
//
// ErrMasterKey of the vault: the database holds keys and none of them opens. A single
// row that does not open is skipped and reported, see Ready. ErrModule of the vault:
// keys are in a module that does not answer or holds none of them.
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

// ReloadOnce reads the keys again and swaps signers, verifiers and JWKS at once. The
// caller calls it when the change counter moved. When the read fails, or nothing
// that was read opens, the keys in use stay.
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
	return r.take(rows)
}

// take puts the rows to use in one step, or leaves everything as it is. Rows that are the
// same as before change nothing: the counter moves for clients too, and the cache of
// verified tokens would be lost. The caller holds reloading.
func (r *Ring) take(rows []storage.Key) error {
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

// report logs each row that cannot be used once, not at every reload.
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

// Inventory lists the keys in use, for the schedule. Callers must not write to it.
func (r *Ring) Inventory() vault.Inventory { return r.inUse.Load().opened.Inventory }

// JWKS gives the ready document of the published keys: next, active and retired.
// Callers share Body and must not write to it.
func (r *Ring) JWKS() vault.JWKS { return r.inUse.Load().jwks }

// lookUp finds a key, and the set it is in. in looks it up by its name in a token or
// message.
func lookUp[K any](r *Ring, in func(*keySet) *K) (*keySet, *K) {
	set := r.inUse.Load()
	k := in(set)
	if k == nil && r.askAgain(set) {
		set = r.inUse.Load()
		k = in(set)
	}
	return set, k
}

// askEvery is how often a key that is not known is looked for. A flood of random
// kids costs one read in that time.
const askEvery = time.Second

// askAgain reads the keys again after looked did not have one: another node may just
// have begun to use it. False: no other keys are in use than those of looked.
func (r *Ring) askAgain(looked *keySet) bool {
	r.missing.Lock()
	defer r.missing.Unlock()
	if r.inUse.Load() != looked {
		return true
	}
	now := r.now()
	if now.Sub(r.asked).Abs() < askEvery {
		return false
	}
	r.asked = now
	return r.replaced(looked)
}

// replaced reads the keys again, and reports whether others are in use now.
func (r *Ring) replaced(looked *keySet) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := r.reload(ctx); err != nil {
		r.log.Warn("keys cannot be read", "error", err)
	}
	return r.inUse.Load() != looked
}

// SigningAlgorithms lists the names of the algorithms that this program can sign with,
// whether it has a key of them or not.
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

// Ready reports whether every configured line, the internal one included, can
// sign. ErrNoKey, with the name of the line; ErrModule of the vault.
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

// NoKey is ErrNoKey with the name of the line.
func NoKey(line string) error { return fmt.Errorf("%w on line %s", ErrNoKey, line) }

// signer gives the active key of a configured algorithm. ErrNoKey.
func (r *Ring) signer(set *keySet, alg string) (*signingKey, error) {
	k := set.signing[alg]
	if k == nil || !slices.Contains(r.algorithms, alg) {
		return nil, NoKey(alg)
	}
	return k, nil
}

// SealToken seals an upstream's token for the row of an identity.
func (r *Ring) SealToken(i storage.Identity, token []byte) ([]byte, error) {
	sealed, err := r.inUse.Load().opened.SealToken(i, token)
	if err != nil {
		return nil, fmt.Errorf("seal upstream token: %w", err)
	}
	return sealed, nil
}
