package keeper

import (
	"context"
	"fmt"
	"slices"

	"signet/provider/keys/vault"
	"signet/storage"
)

// ReplaceKeysAfterRestore replaces the signing keys and secrets in a database that was
// restored from a backup.
//
// It revokes all secrets of the internal line: codes, requests, refresh tokens and cookies
// that they sealed do not open any more. It rotates each published line to its next key,
// which relying parties may have seen. revoked lists the kids of keys that were revoked
// after the backup: they are revoked again. Kids that are not in the database are skipped.
//
// storage.ErrConflict: another process changed the keys at the same time; try again.
func (k *Keeper) ReplaceKeysAfterRestore(ctx context.Context, revoked []string, by storage.By) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	replaced := []string{storage.InternalLine} // lines that need no rotation
	for _, row := range set.Rows {
		if !slices.Contains(revoked, row.ID) || row.State == storage.KeyRevoked || row.Line == storage.InternalLine {
			continue
		}
		if _, err := k.Revoke(ctx, row.ID, "revoked before the restore", by); err != nil {
			return err
		}
		if row.State == storage.KeyActive {
			replaced = append(replaced, row.Line)
		}
	}
	if err := k.revokeSecrets(ctx, set, by); err != nil {
		return err
	}
	return k.rotateExcept(ctx, replaced, by)
}

// revokeSecrets revokes all secrets of the internal line. It begins with the next secret,
// which would otherwise replace the active one.
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

// rotateExcept rotates all published lines but the given ones. It skips a line that has no
// usable next key: the schedule of the servers rotates it later.
func (k *Keeper) rotateExcept(ctx context.Context, except []string, by storage.By) error {
	set, err := k.read(ctx)
	if err != nil {
		return fmt.Errorf("change keys after a restore: %w", err)
	}
	var lines []string
	for _, line := range signingLines(set.Rows) {
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
