package storage

import (
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// explainDeadGrant returns the reason why a grant is not live, as a *RevokedError. The caller
// knows already that it is not.
func explainDeadGrant(tx *gorm.DB, grantID string, at time.Time) error {
	return readRevokedError(grantDeath, tx, At(at), At(at), At(at), At(at), grantID)
}

// explainDeadSession returns the reason why a client cannot use a session.
func explainDeadSession(tx *gorm.DB, userID, sessionID, clientID string, at time.Time) error {
	return readRevokedError(sessionDeath, tx, At(at), At(at), clientID, sessionID, userID)
}

func readRevokedError(s engine.Statement, tx *gorm.DB, args ...any) error {
	var code string
	found, err := s.QueryRow(tx, []any{&code}, args...)
	if err != nil || !found {
		return ErrRevoked
	}
	return &RevokedError{code}
}

var (
	grantDeath = engine.NewStatement(`SELECT CASE
			WHEN u.disabled_at <> 0 THEN 'user_disabled'
			WHEN c.disabled_at <> 0 THEN 'client_disabled'
			WHEN g.revoked_at <> 0 THEN 'grant_revoked'
			WHEN g.idle_expires_at <= ? OR g.expires_at <= ? THEN 'grant_expired'
			WHEN NOT g.offline AND (s.id IS NULL OR s.ended_at <> 0) THEN 'session_ended'
			WHEN NOT g.offline AND (s.idle_expires_at <= ? OR s.expires_at <= ?) THEN 'session_expired'
			ELSE 'ended_everywhere' END
		FROM grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.id = g.client_id
			LEFT JOIN sessions s ON s.id = g.session_id AND s.user_id = g.user_id
		WHERE g.id = ?`)

	sessionDeath = engine.NewStatement(`SELECT CASE
			WHEN u.disabled_at <> 0 THEN 'user_disabled'
			WHEN s.ended_at <> 0 THEN 'session_ended'
			WHEN s.idle_expires_at <= ? OR s.expires_at <= ? THEN 'session_expired'
			WHEN NOT EXISTS (SELECT 1 FROM clients c WHERE c.id = ? AND c.disabled_at = 0) THEN 'client_disabled'
			ELSE 'ended_everywhere' END
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ? AND s.user_id = ?`)
)
