package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signet/storage"
)

// Restored lets other keys sign in a database that was brought back from a backup.
// Every secret of the internal line is revoked: whatever was sealed under one, codes
// and requests and refresh tokens and cookies, opens no more. Each published line
// moves on to its next key, which relying parties may have seen. The keys named in
// revoked, by kid, were revoked since the backup, and are so again; those that the
// database does not hold are passed over.
//
// storage.ErrConflict: something else changed the keys meanwhile; do it again.
func (k *Keeper) Restored(ctx context.Context, revoked []string, from storage.Origin, at time.Time) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	moved := []string{storage.InternalLine} // lines whose active key is another already
	for _, row := range set.rows {
		if !slices.Contains(revoked, row.ID) || row.State == storage.KeyRevoked || row.Line == storage.InternalLine {
			continue
		}
		if _, err := k.Revoke(ctx, row.ID, "revoked before the restore", from, at); err != nil {
			return err
		}
		if row.State == storage.KeyActive {
			moved = append(moved, row.Line)
		}
	}
	if err := k.revokeSecrets(ctx, set, from, at); err != nil {
		return err
	}
	return k.moveOn(ctx, moved, from, at)
}

// revokeSecrets revokes the internal line, the next secret first: it would take the
// active one's place.
func (k *Keeper) revokeSecrets(ctx context.Context, set *keySet, from storage.Origin, at time.Time) error {
	for _, state := range []storage.KeyState{storage.KeyNext, storage.KeyActive, storage.KeyRetired} {
		for _, row := range set.rows {
			if row.Line != storage.InternalLine || row.State != state {
				continue
			}
			if _, err := k.Revoke(ctx, row.ID, "restored from a backup", from, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveOn rotates the published lines but for some. One whose next key is missing or
// does not open is left to the servers, which mend it.
func (k *Keeper) moveOn(ctx context.Context, except []string, from storage.Origin, at time.Time) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	var lines []string
	for _, line := range set.publishedLines() {
		next := set.find(line, storage.KeyNext)
		if !slices.Contains(except, line) && next != nil && set.opened[next.ID] {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	_, err = k.rotate(ctx, set, lines, from, at)
	return err
}
