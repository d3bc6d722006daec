package keys

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/storage"
)

// Keeper changes the life of keys. It signs nothing, and reads the keys anew for
// each thing it does: the command line has one, beside the servers that it lets
// follow.
type Keeper struct {
	db         *storage.DB
	vault      *vault
	algorithms []string
	inModule   []string // lines whose new keys are made in the module
	life       Life
}

// NewKeeper checks the configuration, of which it needs no issuer, clock and log.
func NewKeeper(c Config) (*Keeper, error) {
	k := &Keeper{db: c.DB, algorithms: slices.Clone(c.Algorithms), inModule: slices.Clone(c.InModule), life: c.Life}
	k.life.setDefaults()
	if len(k.algorithms) == 0 {
		k.algorithms = []string{"ES256", "RS256"}
	}
	for i, name := range k.algorithms {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("unknown signing algorithm %q: use one of %v", name, algorithmNames())
		}
		if slices.Contains(k.algorithms[:i], name) {
			return nil, fmt.Errorf("signing algorithm %q is named twice", name)
		}
	}
	var err error
	k.vault, err = newVault(c)
	return k, err
}

// lines lists what the schedule looks after.
func (k *Keeper) lines() []string {
	return append([]string{storage.InternalLine}, k.algorithms...)
}

// read gives the keys as they are now. ErrMasterKey.
func (k *Keeper) read(ctx context.Context) (*keySet, error) {
	rows, err := k.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	set, _, err := k.vault.open(rows)
	return set, err
}

// NotRipeError refuses a rotation: the next key has not been published for long
// enough.
type NotRipeError struct {
	Line  string
	KeyID string
	Since time.Time // published since
	Ripe  time.Time // may sign from then on
}

func (e *NotRipeError) Error() string {
	return fmt.Sprintf("the next %s key %s has not been published for long enough", e.Line, e.KeyID)
}

// Rotated tells what a rotation did to one line.
type Rotated struct {
	Line    string
	Active  string    // kid that signs now
	Since   time.Time // published since
	Retired string    // kid that signed before; "" if none did
	Until   time.Time
	Next    string // kid of the new next key
}

// Rotate moves the named lines on, all of them or none; without a name every line
// of a published algorithm. A next key must have been there for wait, and one of
// the internal line for a minute in any case.
//
// A *NotRipeError; ErrNoKey: no such line, or its next key does not open;
// storage.ErrConflict: another rotation was first, and nothing was changed.
func (k *Keeper) Rotate(ctx context.Context, lines []string, wait time.Duration, from storage.Origin, at time.Time) ([]Rotated, error) {
	set, err := k.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	if len(lines) == 0 {
		lines = set.publishedLines()
	}
	for _, line := range lines {
		switch next := set.find(line, storage.KeyNext); {
		case next == nil || !set.opened[next.ID]:
			return nil, fmt.Errorf("rotate keys: %w", set.noNext(line))
		case at.Before(k.life.ripe(*next, wait)):
			return nil, &NotRipeError{line, next.ID, next.CreatedAt.Time(), k.life.ripe(*next, wait)}
		}
	}
	return k.rotate(ctx, set, lines, from, at)
}

// noNext says why a line has no next key that can sign.
func (s *keySet) noNext(line string) error {
	if next := s.find(line, storage.KeyNext); next != nil && s.apart[next.ID] != nil {
		return fmt.Errorf("%w: %w", noKey(line), s.apart[next.ID])
	}
	return noKey(line)
}

// publishedLines lists the lines that sign, but for the internal one.
func (s *keySet) publishedLines() []string {
	var lines []string
	for _, row := range s.rows {
		if row.State == storage.KeyActive && row.Line != storage.InternalLine {
			lines = append(lines, row.Line)
		}
	}
	slices.Sort(lines)
	return lines
}

func (k *Keeper) rotate(ctx context.Context, set *keySet, lines []string, from storage.Origin, at time.Time) ([]Rotated, error) {
	var moves []storage.KeyRotation
	var done []Rotated
	for _, line := range lines {
		fresh, err := k.newKey(set, line, storage.KeyNext, at)
		if err != nil {
			return nil, fmt.Errorf("rotate keys: %w", err)
		}
		move := storage.KeyRotation{Line: line, Next: *set.find(line, storage.KeyNext), Fresh: fresh, Life: k.life.of(line), Margin: k.life.MaxAge}
		one := Rotated{Line: line, Active: move.Next.ID, Since: move.Next.CreatedAt.Time(), Next: fresh.ID}
		if active := set.find(line, storage.KeyActive); active != nil {
			move.Active, one.Retired = active.ID, active.ID
			one.Until = at.Add(active.LongestLife + k.life.MaxAge)
		}
		moves, done = append(moves, move), append(done, one)
	}
	err := k.db.RotateKeys(ctx, moves, from, at)
	if errors.Is(err, storage.ErrConflict) {
		for _, move := range moves {
			err = errors.Join(err, k.discard(move.Fresh))
		}
	}
	return done, err
}

// ErrRevokedAlready: the key is revoked.
var ErrRevokedAlready = errors.New("revoked already")

// Revoked tells what a revocation did.
type Revoked struct {
	Key       storage.Key // as it was before
	Successor *storage.Key
	Made      []string // kids of new keys
	Unmade    error    // ErrModule: why no key was made; the schedule makes it when the module answers
	Left      error    // ErrModule: why the private half was not destroyed yet; likewise
}

// Revoke takes a key out of use: nothing it signed or sealed is taken any more, on
// this node at once and on the others as soon as they follow, and its private half
// is destroyed. In place of an active key the next one signs from now on, and a
// new next key is made. A module that is away does not hold it up.
//
// storage.ErrNotFound; ErrRevokedAlready; storage.ErrConflict: the key has changed
// meanwhile, and nothing was done.
func (k *Keeper) Revoke(ctx context.Context, id, reason string, from storage.Origin, at time.Time) (Revoked, error) {
	set, err := k.read(ctx)
	if err != nil {
		return Revoked{}, fmt.Errorf("revoke key: %w", err)
	}
	i := slices.IndexFunc(set.rows, func(row storage.Key) bool { return row.ID == id })
	if i < 0 {
		return Revoked{}, fmt.Errorf("revoke key: %w", storage.ErrNotFound)
	}
	done := Revoked{Key: set.rows[i]}
	if done.Key.State == storage.KeyRevoked {
		return done, fmt.Errorf("revoke key: %w", ErrRevokedAlready)
	}
	r := storage.KeyRevocation{Key: done.Key, Reason: reason, Life: k.life.of(done.Key.Line)}
	if err := k.fill(set, &r, &done, at); err != nil {
		return done, fmt.Errorf("revoke key: %w", err)
	}
	if err := k.db.RevokeKey(ctx, r, from, at); err != nil {
		if errors.Is(err, storage.ErrConflict) {
			err = errors.Join(err, k.discard(r.Fresh...))
		}
		return done, err
	}
	if done.Key.Elsewhere() {
		done.Left = k.clear(ctx, done.Key)
	}
	return done, nil
}

// fill finds who takes the place of a key that is revoked.
func (k *Keeper) fill(set *keySet, r *storage.KeyRevocation, done *Revoked, at time.Time) error {
	line := r.Key.Line
	next := set.find(line, storage.KeyNext)
	var places []storage.KeyState
	switch {
	case algorithms[line] == nil && line != storage.InternalLine:
		return nil // of a newer program, which makes its own
	case r.Key.State == storage.KeyNext:
		places = []storage.KeyState{storage.KeyNext}
	case r.Key.State != storage.KeyActive:
		return nil
	case next == nil:
		places = []storage.KeyState{storage.KeyActive, storage.KeyNext}
	case !set.opened[next.ID]:
		places = []storage.KeyState{storage.KeyActive}
	default:
		r.Promote, done.Successor = next, next
		places = []storage.KeyState{storage.KeyNext}
	}
	for _, state := range places {
		fresh, err := k.newKey(set, line, state, at)
		if errors.Is(err, ErrModule) {
			done.Unmade = err
			return nil
		}
		if err != nil {
			return err
		}
		if state == storage.KeyActive {
			done.Successor = &fresh
		}
		r.Fresh, done.Made = append(r.Fresh, fresh), append(done.Made, fresh.ID)
	}
	return nil
}

// ErrConfigured: the algorithm is still among those that servers are to sign with.
var ErrConfigured = errors.New("the algorithm is configured")

// Retire ends a published line: its key signs no more, and stays published until its
// last token is dead. To begin again, configure it and restart.
//
// ErrConfigured; storage.ErrNotFound: no key of it signs; storage.ErrConflict: a
// client asks for it.
func (k *Keeper) Retire(ctx context.Context, line string, from storage.Origin, at time.Time) error {
	if line == storage.InternalLine || slices.Contains(k.algorithms, line) {
		return fmt.Errorf("retire %s: %w", line, ErrConfigured)
	}
	return k.db.RetireLine(ctx, line, k.life.MaxAge, from, at)
}

// ErrOneMaster: there is no master key to move to.
var ErrOneMaster = errors.New("no other master key is given")

// Rewrap seals every private half under the master key to move to, all at once, and
// then the kept tokens of upstreams.
// Rows that are so already stay as they are, so it can be done again; a row that no
// master key opens stays too, and is given back. The keys themselves do not change.
//
// ErrOneMaster; ErrMasterKey: none opens.
func (k *Keeper) Rewrap(ctx context.Context, from storage.Origin, at time.Time) (done int, unopened []string, err error) {
	set, err := k.read(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("rewrap keys: %w", err)
	}
	masters, ok := k.vault.target()
	if !ok {
		return 0, nil, fmt.Errorf("rewrap keys: %w", ErrOneMaster)
	}
	target := len(masters) - 1
	for _, row := range set.rows {
		if _, _, err := openPrivate(masters, row); err != nil && len(row.Sealed) > 0 {
			unopened = append(unopened, row.ID)
		}
	}
	done, err = k.db.RewrapKeys(ctx, func(row storage.Key) ([]byte, error) {
		private, under, err := openPrivate(masters, row)
		if err != nil || under == target {
			return nil, nil // gone, revoked or not to be opened: as it was
		}
		return sealPrivate(masters[target], row.Sealed[0], row.Line, row.ID, private)
	}, from, at)
	if err != nil {
		return 0, unopened, err
	}
	// After the keys: servers that follow them seal under the new one from then on.
	return done, unopened, k.rewrapTokens(ctx, masters)
}

// PublicKey is the public half of a published key.
type PublicKey struct {
	ID        string
	Algorithm string
	State     storage.KeyState
	PEM       []byte // PUBLIC KEY (RFC 7468, section 13)
}

// Public gives the published keys, one by one and as the JWKS that servers answer
// with. They come out of the sealed private halves: a row that was written without
// the master key brings in none.
func (k *Keeper) Public(ctx context.Context) ([]PublicKey, Published, error) {
	set, err := k.read(ctx)
	if err != nil {
		return nil, Published{}, fmt.Errorf("read keys: %w", err)
	}
	var list []PublicKey
	for _, row := range set.rows {
		found, ok := set.access[readyHeader(row.Line, row.ID, typAccess)]
		if !ok {
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(found.public)
		if err != nil {
			return nil, Published{}, fmt.Errorf("encode public key: %w", err)
		}
		list = append(list, PublicKey{row.ID, row.Line, row.State, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})})
	}
	return list, set.jwks, nil
}
