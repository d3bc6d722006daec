package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"signet/provider/keys/vault"
	"signet/storage"
)

// Replaced is the result of EndEverything.
type Replaced struct {
	storage.Ended
	Made []storage.Key // the keys that sign and seal from now on, and their next keys
	// MakeError is not nil if the module did not make keys of some lines: vault.ErrModule. The
	// schedule makes them when the module answers again. Until then these lines do not sign.
	MakeError error
	// DestroyError is not nil if private halves are still in the module: vault.ErrModule. The
	// schedule destroys them when the module answers again.
	DestroyError error
}

// EndEverything ends all sessions and grants of the instance and replaces all keys with new
// ones; see storage.DB.EndEverything. No key that existed before is accepted afterwards: on other
// nodes as soon as they follow. Fresh in e is filled in.
//
// It makes an active and a next key of each configured line, of each other line that signs now,
// and of the internal line. In a database that no server has used yet it makes none: the first
// start does.
func (k *Keeper) EndEverything(ctx context.Context, e storage.Ending, by storage.By) (Replaced, error) {
	set, err := k.read(ctx)
	if err != nil {
		return Replaced{}, fmt.Errorf("end everything: %w", err)
	}
	var done Replaced
	if e.Fresh, done.MakeError, err = k.newLines(set, by); err != nil {
		return Replaced{}, fmt.Errorf("end everything: %w", err)
	}
	done.Made = e.Fresh
	if done.Ended, err = k.db.EndEverything(ctx, e, by); err != nil {
		return Replaced{}, errors.Join(err, k.discard(e.Fresh...))
	}
	for _, row := range done.Revoked {
		if row.IsExternal() {
			done.DestroyError = errors.Join(done.DestroyError, k.destroyPrivate(ctx, row))
		}
	}
	return done, nil
}

// newLines makes the first two keys of every line anew. It skips a line whose keys the module
// does not make: inModule has the reason.
func (k *Keeper) newLines(set *vault.Set, by storage.By) (fresh []storage.Key, inModule, failed error) {
	if len(set.Rows) == 0 {
		return nil, nil, nil
	}
	lines := k.lines()
	for _, line := range signingLines(set.Rows) {
		if !slices.Contains(lines, line) && vault.Knows(line) {
			lines = append(lines, line)
		}
	}
	for _, line := range lines {
		for _, state := range []storage.KeyState{storage.KeyActive, storage.KeyNext} {
			made, err := k.newKey(set, line, state, by.At)
			if errors.Is(err, vault.ErrModule) {
				inModule = errors.Join(inModule, err)
				break
			}
			if err != nil {
				return nil, nil, errors.Join(err, k.discard(fresh...))
			}
			fresh = append(fresh, made)
		}
	}
	return fresh, inModule, nil
}
