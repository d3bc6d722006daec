package storage

import (
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"signet/storage/engine"
)

// seenEvery is how much time passes before a session is noted as seen again:
// its idle life moves with it.
const seenEvery = 5 * time.Minute

// sessionLives is the condition under which a session s is alive; its parameters
// are sessionNow.
const sessionLives = `(s.ended_at = 0 AND s.idle_expires_at > ? AND s.expires_at > ? AND EXISTS (
		SELECT 1 FROM users u, instance i WHERE u.id = s.user_id AND i.id = 1 AND u.disabled_at = 0
			AND s.created_at > u.not_before AND s.created_at > i.not_before))`

func sessionNow(at time.Time) []any { return []any{At(at), At(at)} }

// liveSession is sessionLives for gorm.
func liveSession(at time.Time) clause.Expr { return gorm.Expr(sessionLives, sessionNow(at)...) }

// grantLives is the condition under which a grant g is alive, the only one there
// is: liveness is a join, so that ending a session, disabling a user or a client
// is one row. onlineLives is the same of a grant that counts as online, whatever its row
// says, because its client may not have offline_access any more. The parameters of both
// are grantNow.
const (
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

func grantNow(at time.Time) []any { return []any{At(at), At(at), At(at), At(at)} }

// liveGrant is grantLives for gorm.
func liveGrant(at time.Time) clause.Expr { return gorm.Expr(grantLives, grantNow(at)...) }

// liveOnlineGrant is onlineLives for gorm.
func liveOnlineGrant(at time.Time) clause.Expr { return gorm.Expr(onlineLives, grantNow(at)...) }

// touched is what touchSession gives of a session: when it was made, and the
// identity that opened it.
type touched struct {
	made                Millis
	connector, identity string
}

// touchSession takes the row lock of a live session of this user and notes it as
// seen. clientID ("" for none) must be enabled
// too. The row is written even when nothing in it moves: what follows in the
// transaction relies on the session not ending meanwhile.
//
// ErrRevoked: it is dead, or another user's, or the client is disabled.
func touchSession(tx *gorm.DB, userID, sessionID, clientID string, at time.Time) (touched, error) {
	stale := At(at.Add(-seenEvery))
	args := append([]any{stale, At(at), stale, At(at), sessionID, userID}, sessionNow(at)...)
	var t touched
	found, err := touchLive.QueryRow(tx, []any{(*int64)(&t.made), &t.connector, &t.identity}, append(args, clientID, clientID)...)
	if err != nil {
		return touched{}, err
	}
	if !found {
		return touched{}, ErrRevoked
	}
	return t, nil
}

// The client is cast for PostgreSQL, which could not tell the type of a parameter
// that is only compared with a constant.
var touchLive = engine.NewStatement(`UPDATE sessions AS s SET
		seen_at = CASE WHEN s.seen_at <= ? THEN ? ELSE s.seen_at END,
		idle_expires_at = CASE WHEN s.seen_at <= ? THEN ? + s.idle_for ELSE s.idle_expires_at END
	WHERE s.id = ? AND s.user_id = ? AND ` + sessionLives + `
		AND (CAST(? AS TEXT) = '' OR EXISTS (SELECT 1 FROM clients c WHERE c.id = ? AND c.disabled_at = 0))
	RETURNING created_at, connector, identity`)
