package keeper

import (
	"context"
	"fmt"
	"slices"

	"signet/provider/keys/vault"
	"signet/storage"
)

// ReplaceKeysAfterRestore lets other keys sign in a database that was brought back from a backup.
// Every secret of the internal line is revoked: codes, requests, refresh tokens and
// cookies that were sealed under one open no more. Each published line moves on to its
// next key, which relying parties may have seen. The keys named in revoked, by kid,
// were revoked after the backup and are revoked again; those that the database does not
// hold are skipped.
//
// storage.ErrConflict: something else changed the keys meanwhile; do it again.
func (k *Keeper) ReplaceKeysAfterRestore(ctx context.Context, revoked []string, by storage.By) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	moved := []string{storage.InternalLine} // lines whose active key is another already
	for _, row := range set.Rows {
		if !slices.Contains(revoked, row.ID) || row.State == storage.KeyRevoked || row.Line == storage.InternalLine {
			continue
		}
		if _, err := k.Revoke(ctx, row.ID, "revoked before the restore", by); err != nil {
			return err
		}
		if row.State == storage.KeyActive {
			moved = append(moved, row.Line)
		}
	}
	if err := k.revokeSecrets(ctx, set, by); err != nil {
		return err
	}
	return k.moveOn(ctx, moved, by)
}

// revokeSecrets revokes the internal line, the next secret first: it would take the
// active one's place.
func (k *Keeper) revokeSecrets(ctx context.Context, set *vault.Set, by storage.By) error {
	for _, state := range []storage.KeyState{storage.KeyNext, storage.KeyActive, storage.KeyRetired} {
		for _, row := range set.Rows {
			if row.Line != storage.InternalLine || row.State != state {
				continue
			}
			if _, err := k.Revoke(ctx, row.ID, "restored from a backup", by); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveOn rotates the published lines except some. A line whose next key is missing or
// does not open is left to the schedule of the servers.
func (k *Keeper) moveOn(ctx context.Context, except []string, by storage.By) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	var lines []string
	for _, line := range publishedLines(set.Rows) {
		next := set.Find(line, storage.KeyNext)
		if !slices.Contains(except, line) && next != nil && set.IsUsable(next.ID) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	_, err = k.rotate(ctx, set, lines, by)
	return err
}
