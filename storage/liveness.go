package storage

import (
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"signet/storage/engine"
)

// seenEvery is how often the use of a session is written to its row. This also moves its idle
// expiry.
const seenEvery = 5 * time.Minute

// sessionLives is the condition that a session s is live. Its parameters are sessionArgs.
const sessionLives = `(s.ended_at = 0 AND s.idle_expires_at > ? AND s.expires_at > ? AND EXISTS (
		SELECT 1 FROM users u, instance i WHERE u.id = s.user_id AND i.id = 1 AND u.disabled_at = 0
			AND s.created_at > u.not_before AND s.created_at > i.not_before))`

func sessionArgs(at time.Time) []any { return []any{At(at), At(at)} }

// liveSession is sessionLives for gorm.
func liveSession(at time.Time) clause.Expr { return gorm.Expr(sessionLives, sessionArgs(at)...) }

const (
	// grantLives is the condition that a grant g is live, and the only such condition. It is a
	// join, so ending a session, or disabling a user or a client, changes one row only.
	// onlineLives is the same condition for a grant that counts as online even if its row says
	// offline, because its client may no longer have offline_access. The parameters of both are
	// grantArgs.
	grantLives  = grantLivesHead + `g.offline` + grantLivesTail
	onlineLives = grantLivesHead + `FALSE` + grantLivesTail
)

const grantLivesHead = `(g.revoked_at = 0 AND g.idle_expires_at > ? AND g.expires_at > ? AND EXISTS (
		SELECT 1 FROM users u JOIN instance i ON i.id = 1 JOIN clients c ON c.id = g.client_id
			LEFT JOIN sessions s ON s.id = g.session_id AND s.user_id = g.user_id
		WHERE u.id = g.user_id AND u.disabled_at = 0 AND c.disabled_at = 0
			AND g.created_at > u.not_before AND g.created_at > i.not_before
			AND (`

const grantLivesTail = ` OR (s.ended_at = 0 AND s.idle_expires_at > ? AND s.expires_at > ?
				AND s.created_at > u.not_before AND s.created_at > i.not_before))))`

func grantArgs(at time.Time) []any { return []any{At(at), At(at), At(at), At(at)} }

// liveGrant is grantLives for gorm.
func liveGrant(at time.Time) clause.Expr { return gorm.Expr(grantLives, grantArgs(at)...) }

// liveOnlineGrant is onlineLives for gorm.
func liveOnlineGrant(at time.Time) clause.Expr { return gorm.Expr(onlineLives, grantArgs(at)...) }

// touchedSession holds the values of a session that touchSession reads: its creation time, the
// identity that opened it, and the chosen subject of its user.
type touchedSession struct {
	createdAt           Millis
	connector, identity string
	chosenSubject       string
}

// touchSession locks the row of a live session of this user and marks the session as seen. If
// clientID is not "", that client must be enabled. touchSession writes the row even if no value
// changes, because the rest of the transaction relies on the session not ending meanwhile.
//
// ErrRevoked: the session has ended, or is another user's, or the client is disabled.
func touchSession(tx *gorm.DB, userID, sessionID, clientID string, at time.Time) (touchedSession, error) {
	stale := At(at.Add(-seenEvery))
	args := append([]any{stale, At(at), stale, At(at), sessionID, userID}, sessionArgs(at)...)
	var t touchedSession
	found, err := touchLive.QueryRow(tx, []any{(*int64)(&t.createdAt), &t.connector, &t.identity, &t.chosenSubject}, append(args, clientID, clientID)...)
	if err != nil {
		return touchedSession{}, err
	}
	if !found {
		return touchedSession{}, ErrRevoked
	}
	return t, nil
}

// The client ID is cast because PostgreSQL cannot infer the type of a parameter that is only
// compared with a constant.
var touchLive = engine.NewStatement(`UPDATE sessions AS s SET
		seen_at = CASE WHEN s.seen_at <= ? THEN ? ELSE s.seen_at END,
		idle_expires_at = CASE WHEN s.seen_at <= ? THEN ? + s.idle_for ELSE s.idle_expires_at END
	WHERE s.id = ? AND s.user_id = ? AND ` + sessionLives + `
		AND (CAST(? AS TEXT) = '' OR EXISTS (SELECT 1 FROM clients c WHERE c.id = ? AND c.disabled_at = 0))
	RETURNING created_at, connector, identity, (SELECT subject FROM users WHERE users.id = user_id)`)
