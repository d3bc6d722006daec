package storage

import (
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Limits on the rows that one person can create by repeated sign-ins and redeemed codes.
const (
	// MaxSessionRows is the limit of one user's sessions, including ended ones. Each sign-in
	// deletes or ends sessions above it. For a user with more, equal events user.signed_in and
	// session.ended of one minute are merged.
	MaxSessionRows = 200
	MaxGrants      = 200 // rows of one user and client that are no longer needed

	surplusBatch = 20
	// unusedFor is how long an online grant must have gone without a refresh before a newer
	// grant of the same session and client may replace it.
	unusedFor = 24 * time.Hour
)

// trimSessions runs after a session was created. If the user has more than MaxSessionRows
// sessions, it deletes ended ones, those seen longest ago first. It keeps an ended session while
// a notice for it is undelivered or a live offline grant needs it. If too many are left, it ends
// live sessions. It reports whether the user has too many sessions.
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
			AND NOT EXISTS (SELECT 1 FROM grants g JOIN users u ON u.id = g.user_id JOIN instance i ON i.id = 1
				WHERE g.user_id = s.user_id AND g.session_id = s.id AND g.offline AND g.revoked_at = 0 AND g.expires_at > ? AND g.idle_expires_at > ?
				AND g.created_at > u.not_before AND g.created_at > i.not_before)
		ORDER BY s.seen_at, s.id LIMIT ?`, s.UserID, s.ID, liveSession(at), At(at), At(at), most).Scan(&dead).Error
	if err != nil {
		return 0, fmt.Errorf("look for dead sessions: %w", err)
	}
	for _, d := range dead {
		if _, err := d.sweep(tx, At(at).Add(time.Millisecond)); err != nil {
			return 0, err
		}
	}
	return int64(len(dead)), nil
}

var countSessions = engine.NewStatement(`SELECT COUNT(*) FROM sessions WHERE user_id = ?`)

// trimGrants deletes grants of the user at the client of g that are no longer needed, if there
// are more than MaxGrants of them. These are ended grants, and online grants of the same session
// that were not refreshed for a day; an application that requests codes repeatedly leaves them
// behind. It never deletes live grants of another session. Deleting live grants causes the event
// grant.revoked.
//
// The check reads all grants of the user at the client, which would cost too much for each code
// redemption. Therefore only one of 1,024 redemptions checks, chosen by the random end of the
// grant's ID.
func trimGrants(tx *gorm.DB, g Grant, by By) error {
	if !strings.HasSuffix(strings.ToUpper(g.ID), "AA") {
		return nil
	}
	var deleted []struct{ RevokedAt, ExpiresAt, IdleExpiresAt Millis }
	err := tx.Raw(`DELETE FROM grants WHERE id IN (
			SELECT id FROM grants WHERE user_id = ? AND client_id = ?
				AND (revoked_at <> 0 OR expires_at <= ? OR idle_expires_at <= ?
					OR session_id = ? AND NOT offline AND NOT first_party AND rotated_at < ?)
			ORDER BY rotated_at DESC, id DESC LIMIT ? OFFSET ?)
		RETURNING revoked_at, expires_at, idle_expires_at`,
		g.UserID, g.ClientID, At(by.At), At(by.At), g.SessionID, At(by.At.Add(-unusedFor)), 16*MaxGrants, MaxGrants).Scan(&deleted).Error
	if err != nil {
		return fmt.Errorf("trim grants: %w", err)
	}
	var lived int64
	for _, old := range deleted {
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
