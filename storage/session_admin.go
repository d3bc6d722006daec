package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// IsAdminIdle reports whether the session has used no page for operators for this time, and the user has
// not signed in meanwhile.
func (s Session) IsAdminIdle(limit time.Duration, at time.Time) bool {
	return max(s.AdminSeenAt, s.ArrivedAt) <= At(at.Add(-limit))
}

// NoteAdminUse stores that a session uses a page for operators. It changes nothing if that was stored
// within every before, or if the session has ended.
func (db *DB) NoteAdminUse(ctx context.Context, sessionID string, every time.Duration, at time.Time) error {
	if err := refuseImpossible(sessionID); err != nil {
		return fmt.Errorf("note use of operators' pages: %w", err)
	}
	return db.write(ctx, "note use of operators' pages", func(tx *gorm.DB) error {
		_, err := changeOne(tx, `UPDATE sessions SET admin_seen_at = ? WHERE id = ? AND ended_at = 0 AND admin_seen_at <= ?`, At(at), sessionID, At(at.Add(-every)))
		return err
	})
}
