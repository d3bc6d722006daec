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

// Config configures a keeper.
type Config struct {
	DB         *storage.DB
	Vault      *vault.Vault
	Algorithms []string // published lines that the schedule manages; default ES256, RS256
	Life       Life
}

// Keeper makes, rotates and revokes keys. It does not sign. It reads the keys again for
// each operation, so a command can use a Keeper while servers run; the servers follow.
type Keeper struct {
	db         *storage.DB
	vault      *vault.Vault
	algorithms []string
	life       Life
}

// New returns a keeper. It refuses an unknown algorithm and one that is listed twice.
func New(c Config) (*Keeper, error) {
	algorithms, err := vault.PublishedLines(c.Algorithms)
	if err != nil {
		return nil, err
	}
	k := &Keeper{db: c.DB, vault: c.Vault, algorithms: algorithms, life: c.Life}
	k.life.setDefaults()
	return k, nil
}

// lines returns the lines that the schedule manages.
func (k *Keeper) lines() []string {
	return append([]string{storage.InternalLine}, k.algorithms...)
}

// read reads the keys from the database and opens them. vault.ErrMasterKey.
func (k *Keeper) read(ctx context.Context) (*vault.Set, error) {
	rows, err := k.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return k.vault.Open(rows)
}

// newKey makes a key of a line and returns its row. It does not store the row.
// vault.ErrModule.
func (k *Keeper) newKey(set *vault.Set, line string, state storage.KeyState, at time.Time) (storage.Key, error) {
	made, err := k.vault.Make(set, line)
	if err != nil {
		return storage.Key{}, fmt.Errorf("make a %s key: %w", line, err)
	}
	made.State, made.CreatedAt = state, storage.At(at)
	if state == storage.KeyActive {
		made.ActivatedAt, made.LongestLife = made.CreatedAt, k.life.longestLife(line)
	}
	return made, nil
}

// discard destroys keys in the module that were made but not stored, because another node
// was first. If the module does not answer, such a key stays there. It has never signed
// anything.
func (k *Keeper) discard(made ...storage.Key) error {
	var failed error
	for _, row := range made {
		if row.IsExternal() {
			failed = errors.Join(failed, k.vault.Destroy(row))
		}
	}
	return failed
}

// destroyPrivate destroys the private half of a key in the module and then clears its
// reference in the row.
func (k *Keeper) destroyPrivate(ctx context.Context, row storage.Key) error {
	if err := k.vault.Destroy(row); err != nil {
		return err
	}
	return k.db.ClearKeyReference(ctx, row.ID)
}

// NextKeyTooNewError refuses a rotation because the next key has not been published for
// long enough.
type NextKeyTooNewError struct {
	Line        string
	KeyID       string
	Since       time.Time // when the next key was published
	MaySignFrom time.Time
}

// Error returns a sentence with the line and the kid.
func (e *NextKeyTooNewError) Error() string {
	return fmt.Sprintf("the next %s key %s has not been published for long enough", e.Line, e.KeyID)
}

// maxRetired is the largest number of published retired keys with which a line may rotate.
// Some relying parties read only 16 KB of a JWKS. With one more retired key, the active key
// and the next key, in lines of all algorithms, the JWKS stays below that size.
const maxRetired = 8

// TooManyRetiredError refuses a rotation because too many retired keys of the line are
// still published for tokens that have not expired.
type TooManyRetiredError struct {
	Line    string
	Retired int       // number of retired keys that are published
	Until   time.Time // when enough of them are gone
}

// Error returns a sentence with the line, the number of keys and the limit.
func (e *TooManyRetiredError) Error() string {
	return fmt.Sprintf("%d retired %s keys are still published, and a rotation needs %d or fewer", e.Retired, e.Line, maxRetired)
}

// tooManyRetired returns an error if the line has too many retired keys to rotate, or nil.
// The internal line always passes: its secrets are never published.
func tooManyRetired(rows []storage.Key, line string, at time.Time) *TooManyRetiredError {
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

// Rotated is the result of a rotation for one line.
type Rotated struct {
	Line    string
	Active  string    // kid of the key that signs now
	Since   time.Time // when Active was published
	Retired string    // kid of the key that signed before; "" if there was none
	Until   time.Time // when Retired leaves the JWKS
	Next    string    // kid of the new next key
}

// Rotate makes the next key of each named line the active one, in all lines or in none.
// Without names it rotates every published line. A next key must have been published for
// wait; a next secret of the internal line must always be a minute old.
//
// *NextKeyTooNewError; *TooManyRetiredError, even if wait is zero; keys.ErrNoKey: the line
// does not exist, or its next key does not open; storage.ErrConflict: another rotation was
// first, and nothing was changed. Revoke has no such limits: a revoked key is not published.
func (k *Keeper) Rotate(ctx context.Context, lines []string, wait time.Duration, by storage.By) ([]Rotated, error) {
	set, err := k.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	if len(lines) == 0 {
		lines = signingLines(set.Rows)
	}
	for _, line := range lines {
		switch next := set.Find(line, storage.KeyNext); {
		case next == nil || !set.IsUsable(next.ID):
			return nil, fmt.Errorf("rotate keys: %w", noNextError(set, line))
		case by.At.Before(k.life.maySignFrom(*next, wait)):
			return nil, &NextKeyTooNewError{line, next.ID, next.CreatedAt.Time(), k.life.maySignFrom(*next, wait)}
		}
		if refusal := tooManyRetired(set.Rows, line, by.At); refusal != nil {
			return nil, refusal
		}
	}
	return k.rotate(ctx, set, lines, by)
}

// noNextError returns the reason why a line has no next key that can sign: keys.ErrNoKey,
// with vault.ErrModule if the module is the cause.
func noNextError(set *vault.Set, line string) error {
	if next := set.Find(line, storage.KeyNext); next != nil && errors.Is(set.Problem(next.ID), vault.ErrModule) {
		return fmt.Errorf("%w: %w", keys.NoKey(line), set.Problem(next.ID))
	}
	return keys.NoKey(line)
}

// signingLines returns the published lines that have an active key, sorted.
func signingLines(all []storage.Key) []string {
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
		move := storage.KeyRotation{Line: line, Next: *set.Find(line, storage.KeyNext), Fresh: fresh, Life: k.life.longestLife(line), Margin: k.life.MaxAge}
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

// ErrAlreadyRevoked: the key was revoked before; nothing was changed.
var ErrAlreadyRevoked = errors.New("the key is already revoked")

// Revoked is the result of a revocation.
type Revoked struct {
	Key       storage.Key  // as it was before
	Successor *storage.Key // the key that signs in its place; nil if none does
	Made      []string     // kids of new keys
	// MakeError is not nil if no new key was made: vault.ErrModule. The schedule makes the
	// key when the module answers again.
	MakeError error
	// DestroyError is not nil if the private half is still in the module: vault.ErrModule. The
	// schedule destroys it when the module answers again.
	DestroyError error
}

// Revoke takes a key out of use and destroys its private half. Tokens that it signed and
// messages that it sealed are refused: on this node after its ring has reloaded, on the
// others as soon as they follow. If the key was active, the next key signs from now on and
// a new next key is made. A module that does not answer does not stop the revocation; see
// Revoked.
//
// storage.ErrNotFound; ErrAlreadyRevoked; storage.ErrConflict: the key was changed at the
// same time, and nothing was done.
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
	r := storage.KeyRevocation{Key: done.Key, Reason: reason, Life: k.life.longestLife(done.Key.Line)}
	if err := k.addReplacements(set, &r, &done, by.At); err != nil {
		return done, fmt.Errorf("revoke key: %w", err)
	}
	if err := k.db.RevokeKey(ctx, r, by); err != nil {
		if errors.Is(err, storage.ErrConflict) {
			err = errors.Join(err, k.discard(r.Fresh...))
		}
		return done, err
	}
	if done.Key.IsExternal() {
		done.DestroyError = k.destroyPrivate(ctx, done.Key)
	}
	return done, nil
}

// addReplacements adds to r and done the keys that take the place of the revoked key.
func (k *Keeper) addReplacements(set *vault.Set, r *storage.KeyRevocation, done *Revoked, at time.Time) error {
	line := r.Key.Line
	next := set.Find(line, storage.KeyNext)
	var places []storage.KeyState
	switch {
	case !vault.Knows(line):
		return nil // a line of a newer version of the program, which makes its own keys
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

// ErrStillConfigured: the algorithm is in the configured list, or the line is internal.
var ErrStillConfigured = errors.New("the algorithm is still configured")

// Retire ends a published line. Its key stops signing and stays published until the last
// token that it signed has expired. To use the line again, configure the algorithm and
// restart.
//
// ErrStillConfigured; storage.ErrNotFound: the line has no active key; storage.ErrConflict:
// a client is configured to use the algorithm.
func (k *Keeper) Retire(ctx context.Context, line string, by storage.By) error {
	if line == storage.InternalLine || slices.Contains(k.algorithms, line) {
		return fmt.Errorf("retire %s: %w", line, ErrStillConfigured)
	}
	return k.db.RetireKeyLine(ctx, line, k.life.MaxAge, by)
}

// ErrNoNewMasterKey: only the current master key is given, and none to move to.
var ErrNoNewMasterKey = errors.New("no new master key is given")

// Rewrap seals all private halves under the new master key in one transaction, and then the
// secret of pairwise subjects, the stored tokens of upstreams and the secrets of authenticator
// apps. It returns how many private halves it sealed. Rows that are
// already sealed under the new master key do not change, so Rewrap may run again. A row that
// no master key opens does not change either, and its kid is in unopened. The keys
// themselves stay the same.
//
// ErrNoNewMasterKey; vault.ErrMasterKey: no row opens.
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
	if err := k.db.RewrapSubjectSecret(ctx, rewrap.SubjectSecret); err != nil {
		return done, unopened, err
	}
	// After the keys: servers that have followed them seal new tokens under the new master key.
	if _, err := k.db.RewrapTokens(ctx, rewrap.Token); err != nil {
		return done, unopened, err
	}
	return done, unopened, k.db.RewrapFactors(ctx, rewrap.Factor)
}

// OpenToken returns the upstream token of an identity in clear.
//
// vault.ErrMasterKey: no key in the database opens. vault.ErrNotOpened: only the token does
// not open; it was altered, or a server sealed it before it followed a rewrap.
func (k *Keeper) OpenToken(ctx context.Context, i storage.Identity) ([]byte, error) {
	if _, err := k.read(ctx); err != nil { // so that the vault uses a new master key
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

// Public returns the published keys one by one, and as the JWKS that servers serve. The
// public halves are derived from the sealed private halves, so a row that was written
// without the master key adds no key.
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
