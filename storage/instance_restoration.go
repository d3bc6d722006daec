package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// MarkRestored makes a database that was restored from a backup safe to use. It ends every
// session and grant, and deletes pushed requests, device codes and setup links. This is
// necessary because the backup does not contain later revocations and uses of codes, and users
// may hold tokens that it does not know. Clients get logout notices for the sessions. Users,
// clients, keys and consents stay. It increments the change counter. It records the event instance.restored.
//
// It returns the moment up to which everything has ended. This is the end of the current second,
// because tokens contain times in whole seconds.
func (db *DB) MarkRestored(ctx context.Context, by By) (Millis, error) {
	until := At(by.At.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	err := db.write(ctx, "mark as restored", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		if err := queueLogout(tx, by.At, `s.ended_at = 0 AND s.created_at > (SELECT not_before FROM instance WHERE id = 1)`); err != nil {
			return err
		}
		// Rows that a node with a fast clock created have later times than not_before. They are
		// ended one by one, because not_before must not be later than until: see
		// IsTokenRevoked.
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
				return fmt.Errorf("end sessions and grants: %w", err)
			}
		}
		if err := record(tx, Event{Type: InstanceRestored, Outcome: Succeeded, From: by.From}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
	return until, err
}
