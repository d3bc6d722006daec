package keeper

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Config of a keeper.
type Config struct {
	DB         *storage.DB
	Vault      *vault.Vault
	Algorithms []string // published lines that the schedule looks after; default ES256, RS256
	Life       Life
}

// Keeper changes the life of keys. It signs nothing, and reads the keys anew for each
// thing it does: a command can have one beside the running servers, which follow.
type Keeper struct {
	db         *storage.DB
	vault      *vault.Vault
	algorithms []string
	life       Life
}

// New checks the configuration.
func New(c Config) (*Keeper, error) {
	algorithms, err := vault.PublishedLines(c.Algorithms)
	if err != nil {
		return nil, err
	}
	k := &Keeper{db: c.DB, vault: c.Vault, algorithms: algorithms, life: c.Life}
	k.life.setDefaults()
	return k, nil
}

// lines lists the lines that the schedule looks after.
func (k *Keeper) lines() []string {
	return append([]string{storage.InternalLine}, k.algorithms...)
}

// read gives the keys as they are now. ErrMasterKey of the vault.
func (k *Keeper) read(ctx context.Context) (*vault.Set, error) {
	rows, err := k.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return k.vault.Open(rows)
}

// newKey makes the row of a new key of a line. ErrModule of the vault.
func (k *Keeper) newKey(set *vault.Set, line string, state storage.KeyState, at time.Time) (storage.Key, error) {
	made, err := k.vault.Make(set, line)
	if err != nil {
		return storage.Key{}, fmt.Errorf("make a %s key: %w", line, err)
	}
	made.State, made.CreatedAt = state, storage.At(at)
	if state == storage.KeyActive {
		made.ActivatedAt, made.LongestLife = made.CreatedAt, k.life.of(line)
	}
	return made, nil
}

// discard destroys in the module the keys that were made but not stored, because another
// node was first. If the module has just gone away, one may stay there: it has never
// signed anything.
func (k *Keeper) discard(made ...storage.Key) error {
	var failed error
	for _, row := range made {
		if row.IsExternal() {
			failed = errors.Join(failed, k.vault.Destroy(row))
		}
	}
	return failed
}

// forgetPrivate destroys the private half of a row in the module and has the row forget
// it.
func (k *Keeper) forgetPrivate(ctx context.Context, row storage.Key) error {
	if err := k.vault.Destroy(row); err != nil {
		return err
	}
	return k.db.ClearKeyReference(ctx, row.ID)
}

// NextKeyTooNewError refuses a rotation: the next key has not been published for long
// enough.
type NextKeyTooNewError struct {
	Line        string
	KeyID       string
	Since       time.Time // published since
	MaySignFrom time.Time
}

// Error names the line and the key.
func (e *NextKeyTooNewError) Error() string {
	return fmt.Sprintf("the next %s key %s has not been published for long enough", e.Line, e.KeyID)
}

// maxRetired is how many retired keys of a line may be published for it to rotate. With
// one key more, those that sign now and next, and every algorithm there is, the JWKS stays
// below the 16 KB that some relying parties read of it.
const maxRetired = 8

// TooManyRetiredError refuses a rotation: too many retired keys of the line are published for
// tokens that still live.
type TooManyRetiredError struct {
	Line    string
	Retired int       // keys that are published
	Until   time.Time // enough of them are gone then
}

// Error names the line and how many keys are too many.
func (e *TooManyRetiredError) Error() string {
	return fmt.Sprintf("%d retired %s keys are still published, and a rotation needs %d or fewer", e.Retired, e.Line, maxRetired)
}

// crowded gives the refusal of a rotation of the line, or nil. A secret of the internal
// line is never published.
func crowded(rows []storage.Key, line string, at time.Time) *TooManyRetiredError {
	if line == storage.InternalLine {
		return nil
	}
	var gone []storage.Millis
	for _, k := range rows {
		if k.Line == line && k.State == storage.KeyRetired && k.GoneAt > storage.At(at) {
			gone = append(gone, k.GoneAt)
		}
	}
	if len(gone) <= maxRetired {
		return nil
	}
	slices.Sort(gone)
	return &TooManyRetiredError{line, len(gone), gone[len(gone)-maxRetired-1].Time()}
}

// Rotated is what a rotation did to one line.
type Rotated struct {
	Line    string
	Active  string    // kid that signs now
	Since   time.Time // published since
	Retired string    // kid that signed before; "" if none did
	Until   time.Time
	Next    string // kid of the new next key
}

// Rotate moves the named lines on, all of them or none; without a name every published
// line. A next key must have been there for wait, and one of the internal line for a
// minute in any case.
//
// A *NextKeyTooNewError; a *TooManyRetiredError, however short the wait; ErrNoKey of the ring: no such
// line, or its next key does not open; storage.ErrConflict: another rotation was first, and
// nothing was changed. Revocations are never refused: a revoked key is not published.
func (k *Keeper) Rotate(ctx context.Context, lines []string, wait time.Duration, by storage.By) ([]Rotated, error) {
	set, err := k.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	if len(lines) == 0 {
		lines = publishedLines(set.Rows)
	}
	for _, line := range lines {
		switch next := set.Find(line, storage.KeyNext); {
		case next == nil || !set.IsUsable(next.ID):
			return nil, fmt.Errorf("rotate keys: %w", noNext(set, line))
		case by.At.Before(k.life.ripe(*next, wait)):
			return nil, &NextKeyTooNewError{line, next.ID, next.CreatedAt.Time(), k.life.ripe(*next, wait)}
		}
		if refusal := crowded(set.Rows, line, by.At); refusal != nil {
			return nil, refusal
		}
	}
	return k.rotate(ctx, set, lines, by)
}

// noNext says why a line has no next key that can sign: ErrNoKey of the ring, and
// ErrModule of the vault if the module is the cause.
func noNext(set *vault.Set, line string) error {
	if next := set.Find(line, storage.KeyNext); next != nil && errors.Is(set.Problem(next.ID), vault.ErrModule) {
		return fmt.Errorf("%w: %w", keys.NoKey(line), set.Problem(next.ID))
	}
	return keys.NoKey(line)
}

// publishedLines lists the lines that sign, but for the internal one.
func publishedLines(all []storage.Key) []string {
	var lines []string
	for _, row := range all {
		if row.State == storage.KeyActive && row.Line != storage.InternalLine {
			lines = append(lines, row.Line)
		}
	}
	slices.Sort(lines)
	return lines
}

func (k *Keeper) rotate(ctx context.Context, set *vault.Set, lines []string, by storage.By) ([]Rotated, error) {
	var moves []storage.KeyRotation
	var done []Rotated
	for _, line := range lines {
		fresh, err := k.newKey(set, line, storage.KeyNext, by.At)
		if err != nil {
			return nil, fmt.Errorf("rotate keys: %w", err)
		}
		move := storage.KeyRotation{Line: line, Next: *set.Find(line, storage.KeyNext), Fresh: fresh, Life: k.life.of(line), Margin: k.life.MaxAge}
		one := Rotated{Line: line, Active: move.Next.ID, Since: move.Next.CreatedAt.Time(), Next: fresh.ID}
		if active := set.Find(line, storage.KeyActive); active != nil {
			move.Active, one.Retired = active.ID, active.ID
			one.Until = by.At.Add(active.LongestLife + k.life.MaxAge)
		}
		moves, done = append(moves, move), append(done, one)
	}
	err := k.db.RotateKeys(ctx, moves, by)
	if errors.Is(err, storage.ErrConflict) {
		for _, move := range moves {
			err = errors.Join(err, k.discard(move.Fresh))
		}
	}
	return done, err
}

// ErrAlreadyRevoked: the key is revoked.
var ErrAlreadyRevoked = errors.New("revoked already")

// Revoked is what a revocation did.
type Revoked struct {
	Key       storage.Key // as it was before
	Successor *storage.Key
	Made      []string // kids of new keys
	// MakeError says why no key was made; the schedule makes it when the module answers.
	// vault.ErrModule.
	MakeError error
	// DestroyError says why the private half was not destroyed yet; likewise. vault.ErrModule.
	DestroyError error
}

// Revoke takes a key out of use: nothing it signed or sealed is taken any more, on
// this node at once and on the others as soon as they follow, and its private half
// is destroyed. In place of an active key the next one signs from now on, and a
// new next key is made. A module that is away does not hold it up.
//
// storage.ErrNotFound; ErrAlreadyRevoked; storage.ErrConflict: the key has changed
// meanwhile, and nothing was done.
func (k *Keeper) Revoke(ctx context.Context, id, reason string, by storage.By) (Revoked, error) {
	set, err := k.read(ctx)
	if err != nil {
		return Revoked{}, fmt.Errorf("revoke key: %w", err)
	}
	i := slices.IndexFunc(set.Rows, func(row storage.Key) bool { return row.ID == id })
	if i < 0 {
		return Revoked{}, fmt.Errorf("revoke key: %w", storage.ErrNotFound)
	}
	done := Revoked{Key: set.Rows[i]}
	if done.Key.State == storage.KeyRevoked {
		return done, fmt.Errorf("revoke key: %w", ErrAlreadyRevoked)
	}
	r := storage.KeyRevocation{Key: done.Key, Reason: reason, Life: k.life.of(done.Key.Line)}
	if err := k.fill(set, &r, &done, by.At); err != nil {
		return done, fmt.Errorf("revoke key: %w", err)
	}
	if err := k.db.RevokeKey(ctx, r, by); err != nil {
		if errors.Is(err, storage.ErrConflict) {
			err = errors.Join(err, k.discard(r.Fresh...))
		}
		return done, err
	}
	if done.Key.IsExternal() {
		done.DestroyError = k.forgetPrivate(ctx, done.Key)
	}
	return done, nil
}

// fill finds the keys that take the place of one that is revoked.
func (k *Keeper) fill(set *vault.Set, r *storage.KeyRevocation, done *Revoked, at time.Time) error {
	line := r.Key.Line
	next := set.Find(line, storage.KeyNext)
	var places []storage.KeyState
	switch {
	case !vault.Knows(line):
		return nil // of a newer program, which makes its own
	case r.Key.State == storage.KeyNext:
		places = []storage.KeyState{storage.KeyNext}
	case r.Key.State != storage.KeyActive:
		return nil
	case next == nil:
		places = []storage.KeyState{storage.KeyActive, storage.KeyNext}
	case !set.IsUsable(next.ID):
		places = []storage.KeyState{storage.KeyActive}
	default:
		r.Promote, done.Successor = next, next
		places = []storage.KeyState{storage.KeyNext}
	}
	for _, state := range places {
		fresh, err := k.newKey(set, line, state, at)
		if errors.Is(err, vault.ErrModule) {
			done.MakeError = err
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

// ErrStillConfigured: the algorithm is still among those that servers are to sign with.
var ErrStillConfigured = errors.New("the algorithm is configured")

// Retire ends a published line: its key signs no more, and stays published until its
// last token is dead. To begin again, configure it and restart.
//
// ErrStillConfigured; storage.ErrNotFound: no key of it signs; storage.ErrConflict: a
// client asks for it.
func (k *Keeper) Retire(ctx context.Context, line string, by storage.By) error {
	if line == storage.InternalLine || slices.Contains(k.algorithms, line) {
		return fmt.Errorf("retire %s: %w", line, ErrStillConfigured)
	}
	return k.db.RetireKeyLine(ctx, line, k.life.MaxAge, by)
}

// ErrNoNewMasterKey: only the current master key is given, and none to move to.
var ErrNoNewMasterKey = errors.New("no other master key is given")

// Rewrap seals every private half under the master key to move to, all at once, and
// then the stored tokens of upstreams. Rows that are sealed so already stay as they are,
// so it can be done again; a row that no master key opens stays too, and its kid is
// returned. The keys themselves do not change.
//
// ErrNoNewMasterKey; ErrMasterKey of the vault: no row opens.
func (k *Keeper) Rewrap(ctx context.Context, by storage.By) (done int, unopened []string, err error) {
	set, err := k.read(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("rewrap keys: %w", err)
	}
	rewrap, ok := k.vault.Rewrap()
	if !ok {
		return 0, nil, fmt.Errorf("rewrap keys: %w", ErrNoNewMasterKey)
	}
	for _, row := range set.Rows {
		if !rewrap.Opens(row) {
			unopened = append(unopened, row.ID)
		}
	}
	done, err = k.db.RewrapKeys(ctx, rewrap.Key, by)
	if err != nil {
		return 0, unopened, err
	}
	// After the keys: servers that follow them seal under the new one from then on.
	_, err = k.db.RewrapTokens(ctx, rewrap.Token)
	return done, unopened, err
}

// OpenToken opens the token of an identity. ErrMasterKey of the vault: no key in the
// database opens. ErrNotOpened of the vault: the token alone does not; it was altered, or
// sealed by a server that had not followed a rewrap yet.
func (k *Keeper) OpenToken(ctx context.Context, i storage.Identity) ([]byte, error) {
	if _, err := k.read(ctx); err != nil { // takes over a new master key
		return nil, fmt.Errorf("open upstream token: %w", err)
	}
	token, err := k.vault.OpenToken(i)
	if err != nil {
		return nil, fmt.Errorf("open upstream token: %w", err)
	}
	return token, nil
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
func (k *Keeper) Public(ctx context.Context) ([]PublicKey, vault.JWKS, error) {
	set, err := k.read(ctx)
	if err != nil {
		return nil, vault.JWKS{}, fmt.Errorf("read keys: %w", err)
	}
	var list []PublicKey
	for _, found := range set.Published() {
		der, err := x509.MarshalPKIXPublicKey(found.Public)
		if err != nil {
			return nil, vault.JWKS{}, fmt.Errorf("encode public key: %w", err)
		}
		row := found.Row
		list = append(list, PublicKey{row.ID, row.Line, row.State, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})})
	}
	jwks, err := set.JWKS()
	return list, jwks, err
}
