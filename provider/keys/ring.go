package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/storage"
)

var (
	// ErrInvalid: not a token or message of this kind, of this issuer, under a
	// key we have; or altered. Nothing in it may be used.
	ErrInvalid = errors.New("invalid")
	// ErrExpired: genuine, and its time is over.
	ErrExpired = errors.New("expired")
	// ErrMasterKey: no key in the database opens with the master key that was given.
	ErrMasterKey = errors.New("wrong master_key")
	// ErrNoKey: a line has no key that can sign.
	ErrNoKey = errors.New("no usable key")
)

// Config of a ring.
type Config struct {
	DB         *storage.DB
	Master     [32]byte // master key: seals private keys at rest
	Issuer     string
	Algorithms []string // published lines; default ES256, RS256
	Now        func() time.Time
	Log        *slog.Logger
}

// Ring holds the keys that are in use. It is safe for concurrent use; signing and
// verifying take no lock and ask no database.
type Ring struct {
	db         *storage.DB
	master     [32]byte
	issuer     string
	algorithms []string
	log        *slog.Logger

	inUse atomic.Pointer[keySet]

	reloading sync.Mutex          // two reloads in turn: an older read must not win
	reported  map[string]struct{} // rows that were reported as unusable; under reloading
}

// Open loads the ring and, when a line has no key at all, makes its first two.
//
// ErrMasterKey: the database holds keys and none of them opens; nothing was
// changed, for keys are never silently made anew. A single row that does not open
// is skipped and reported, see Ready.
func Open(ctx context.Context, c Config) (*Ring, error) {
	r, err := newRing(c)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := r.reload(ctx); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	if err := r.startLines(ctx, now()); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return r, nil
}

func newRing(c Config) (*Ring, error) {
	r := &Ring{
		db:         c.DB,
		master:     c.Master,
		issuer:     c.Issuer,
		algorithms: slices.Clone(c.Algorithms),
		log:        c.Log,
		reported:   map[string]struct{}{},
	}
	if len(r.algorithms) == 0 {
		r.algorithms = []string{"ES256", "RS256"}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.issuer == "" {
		return nil, errors.New("the issuer is empty")
	}
	if r.master == [32]byte{} {
		return nil, fmt.Errorf("%w: it is all zeros", ErrMasterKey)
	}
	for i, name := range r.algorithms {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("unknown signing algorithm %q: use one of %v", name, algorithmNames())
		}
		if slices.Contains(r.algorithms[:i], name) {
			return nil, fmt.Errorf("signing algorithm %q is named twice", name)
		}
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

// take puts the rows to use in one step, or leaves all as it is. The caller holds
// reloading.
func (r *Ring) take(rows []storage.Key) error {
	set, unusable, err := openSet(r.master, rows)
	if err != nil {
		return err
	}
	r.report(unusable)
	r.inUse.Store(set)
	return nil
}

// report logs each row that was skipped once, not at every reload.
func (r *Ring) report(rows []unusableRow) {
	for _, row := range rows {
		id := row.key.Line + "\x00" + row.key.ID
		if _, known := r.reported[id]; known {
			continue
		}
		r.reported[id] = struct{}{}
		r.log.Error("signing key skipped", "kid", row.key.ID, "alg", row.key.Line,
			"state", string(row.key.State), "error", row.why)
	}
}

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
// sign. ErrNoKey, with the name of the line.
func (r *Ring) Ready() error {
	set := r.inUse.Load()
	for _, name := range r.algorithms {
		if set.signing[name] == nil {
			return noKey(name)
		}
	}
	if set.secret == nil {
		return noKey(storage.InternalLine)
	}
	return nil
}

func noKey(line string) error { return fmt.Errorf("%w on line %s", ErrNoKey, line) }

// signer gives the active key of a configured algorithm. ErrNoKey.
func (r *Ring) signer(set *keySet, alg string) (*signingKey, error) {
	k := set.signing[alg]
	if k == nil || !slices.Contains(r.algorithms, alg) {
		return nil, noKey(alg)
	}
	return k, nil
}
