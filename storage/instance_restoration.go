package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// MarkRestored ends all that was before: every session and grant of a database that
// was brought back from a backup, and every request, device code and set-up link that
// waits for an answer. What has been spent or ended since the backup is unspent and
// alive again in it, and a user may hold what it has never heard of. Clients are told
// that the sessions ended. Users, clients, keys and consents stay. Moves the change
// counter. Event instance.restored.
//
// It gives the moment until which all is from before: the end of this second, since
// tokens tell their time in whole ones.
func (db *DB) MarkRestored(ctx context.Context, by By) (Millis, error) {
	until := At(by.At.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	err := db.write(ctx, "mark as restored", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		if err := queueLogout(tx, by.At, `s.ended_at = 0 AND s.created_at > (SELECT not_before FROM instance WHERE id = 1)`); err != nil {
			return err
		}
		// What a clock ahead of ours has dated later would outlive not_before, and that may
		// not lie farther ahead: see IsTokenRevoked.
		for _, ended := range []struct {
			sql  string
			args []any
		}{
			{`UPDATE sessions SET ended_at = ? WHERE ended_at = 0 AND created_at > ?`, []any{At(by.At), until}},
			{`UPDATE grants SET revoked_at = ?, revoke_reason = 'restored' WHERE revoked_at = 0 AND created_at > ?`, []any{At(by.At), until}},
			{`UPDATE instance SET not_before = ? WHERE id = 1 AND not_before < ?`, []any{until, until}},
			{`DELETE FROM pushed_requests WHERE id <> ''`, nil},
			{`DELETE FROM device_codes WHERE id <> ''`, nil},
			{`DELETE FROM setup_links WHERE hash <> ''`, nil},
		} {
			if err := tx.Exec(ended.sql, ended.args...).Error; err != nil {
				return fmt.Errorf("end what was before: %w", err)
			}
		}
		if err := record(tx, Event{Type: InstanceRestored, Outcome: Succeeded, From: by.From}, by.At); err != nil {
			return err
		}
		return noteChange(tx)
	})
	return until, err
}
