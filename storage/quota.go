package storage

import (
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Bounds of what one person can make us store by signing in, and by redeeming codes,
// again and again.
const (
	// MaxSessionRows is of one user, dead sessions included. Two decisions hang on it: a
	// sign-in trims to it, and for a user with so many the equal events user.signed_in
	// and session.ended of one minute are merged.
	MaxSessionRows = 200
	MaxGrants      = 200 // rows of one user at one client that are of no more use

	surplusBatch = 20
	// unusedFor is how long an online grant was not refreshed when a newer grant of the
	// same session and client may replace it.
	unusedFor = 24 * time.Hour
)

// trimSessions makes room after a session was made, if the user has more than
// MaxSessionRows: dead ones are deleted, the least recently seen first, unless a client
// still has to be told of them or an offline grant hangs on them; then live ones are
// ended. It reports whether the user has so many.
func trimSessions(tx *gorm.DB, s Session, by By) (crowded bool, err error) {
	var rows int64
	if _, err := countSessions.QueryRow(tx, []any{&rows}, s.UserID); err != nil || rows <= MaxSessionRows {
		return false, err
	}
	deleted, err := deleteSurplus(tx, s, min(rows-MaxSessionRows, surplusBatch), by.At)
	if err != nil || rows-deleted <= MaxSessionRows {
		return true, err
	}
	var ids []string
	err = tx.Raw(`SELECT s.id FROM sessions s WHERE s.user_id = ? AND s.id <> ? AND ? ORDER BY s.seen_at, s.id LIMIT ?`,
		s.UserID, s.ID, liveSession(by.At), min(rows-deleted-MaxSessionRows, surplusBatch)).Scan(&ids).Error
	for _, id := range ids {
		if err == nil {
			err = endSession(tx, s.UserID, id, "too_many_sessions", by)
		}
	}
	return true, err
}

func deleteSurplus(tx *gorm.DB, s Session, most int64, at time.Time) (int64, error) {
	var dead []deadSession
	err := tx.Raw(`SELECT s.id, s.user_id FROM sessions s WHERE s.user_id = ? AND s.id <> ? AND NOT ?
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id > s.user_id || ':' || s.id || ':' AND o.id < s.user_id || ':' || s.id || ';'
				AND o.kind = 'logout' AND o.delivered_at = 0 AND o.given_up_at = 0)
			AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.user_id = s.user_id AND g.session_id = s.id AND g.offline
				AND g.revoked_at = 0 AND g.expires_at > ? AND g.idle_expires_at > ?)
		ORDER BY s.seen_at, s.id LIMIT ?`, s.UserID, s.ID, liveSession(at), At(at), At(at), most).Scan(&dead).Error
	if err != nil {
		return 0, fmt.Errorf("look for dead sessions: %w", err)
	}
	for _, d := range dead {
		if err := d.sweep(tx, At(at).Add(time.Millisecond)); err != nil {
			return 0, err
		}
	}
	return int64(len(dead)), nil
}

var countSessions = engine.NewStatement(`SELECT COUNT(*) FROM sessions WHERE user_id = ?`)

// trimGrants deletes grants of the user at the client of g that are of no more use, if
// there are more than MaxGrants of them: dead ones, and online ones of the same session
// that nobody refreshed for a day, which an application that asks for codes again and
// again leaves behind. What another session or browser holds is never touched. A grant
// that lived gives event grant.revoked.
//
// To look reads all grants of the user at the client, which costs a code's redemption
// more than it may. So one in 1,024 looks: the random end of its id decides which one.
func trimGrants(tx *gorm.DB, g Grant, by By) error {
	if !strings.HasSuffix(strings.ToUpper(g.ID), "AA") {
		return nil
	}
	var gone []struct{ RevokedAt, ExpiresAt, IdleExpiresAt Millis }
	err := tx.Raw(`DELETE FROM grants WHERE id IN (
			SELECT id FROM grants WHERE user_id = ? AND client_id = ?
				AND (revoked_at <> 0 OR expires_at <= ? OR idle_expires_at <= ?
					OR session_id = ? AND NOT offline AND NOT first_party AND rotated_at < ?)
			ORDER BY rotated_at DESC, id DESC LIMIT ? OFFSET ?)
		RETURNING revoked_at, expires_at, idle_expires_at`,
		g.UserID, g.ClientID, At(by.At), At(by.At), g.SessionID, At(by.At.Add(-unusedFor)), 16*MaxGrants, MaxGrants).Scan(&gone).Error
	if err != nil {
		return fmt.Errorf("trim grants: %w", err)
	}
	var lived int64
	for _, old := range gone {
		if old.RevokedAt == 0 && min(old.ExpiresAt, old.IdleExpiresAt) > At(by.At) {
			lived++
		}
	}
	if lived == 0 {
		return nil
	}
	return record(tx, Event{
		Type: GrantRevoked, Outcome: Succeeded, Reason: "too_many_grants", UserID: g.UserID, ClientID: g.ClientID, From: by.From, Times: lived,
	}, by.At)
}
