package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/provider/keys"
	"signet/storage"
)

// Start makes the first two keys of every line without keys: an active and a next key. So
// relying parties have seen the next key even before the first rotation. Start does not
// change a line that has only revoked or unusable keys. It reloads the ring of this process.
// It also makes the secret of pairwise subjects, if there is none.
//
// If several processes start at the same time, storage accepts the keys of only one process
// for each line. The others destroy their keys and read the stored ones.
func (k *Keeper) Start(ctx context.Context, ring *keys.Ring, at time.Time) error {
	if err := k.startLines(ctx, ring, at); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	if err := k.startSubjects(ctx, ring); err != nil {
		return fmt.Errorf("open the secret of pairwise subjects: %w", err)
	}
	return nil
}

// startSubjects loads the secret of pairwise subjects into the ring. If there is none, it makes
// one; of several processes, one wins.
func (k *Keeper) startSubjects(ctx context.Context, ring *keys.Ring) error {
	err := ring.LoadSubjectSecret(ctx)
	if !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	set, err := k.read(ctx)
	if err != nil {
		return err
	}
	sealed, err := set.NewSubjectSecret()
	if err != nil {
		return err
	}
	if err := k.db.StartSubjectSecret(ctx, sealed); err != nil {
		return err
	}
	return ring.LoadSubjectSecret(ctx)
}

func (k *Keeper) startLines(ctx context.Context, ring *keys.Ring, at time.Time) error {
	known := ring.Inventory().Rows
	empty := slices.DeleteFunc(k.lines(), func(line string) bool { return hasStarted(known, line) })
	if len(empty) == 0 {
		return nil
	}
	set, err := k.read(ctx)
	if err != nil {
		return err
	}
	var first []storage.Key
	for _, line := range empty {
		for _, state := range []storage.KeyState{storage.KeyActive, storage.KeyNext} {
			made, err := k.newKey(set, line, state, at)
			if err != nil {
				return err
			}
			first = append(first, made)
		}
	}
	if _, err := k.db.StartKeyLines(ctx, first, storage.By{From: bySchedule, At: at}); err != nil {
		return err
	}
	if err := ring.ReloadOnce(ctx, at); err != nil {
		return err
	}
	stored := ring.Inventory().Rows
	return k.discard(slices.DeleteFunc(first, func(made storage.Key) bool {
		return slices.ContainsFunc(stored, func(row storage.Key) bool { return row.ID == made.ID })
	})...)
}
