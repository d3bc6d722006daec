package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Session binds one browser to one user, for single sign-on, the first-party cookies and the
// account pages. ID is the sid that clients get; it proves nothing. The browser holds a handle,
// of which only the hash is stored.
type Session struct {
	ID         string
	HandleHash string
	UserID     string

	AuthTime  Millis // when the user last authenticated; 0: unknown (see ArrivedAt)
	ArrivedAt Millis // when the user last signed in, by any method
	Connector string // connector through which the session was opened; "": none
	Identity  string // key of the identity, or ID of the passkey, that opened it; after a password, ID of the key that was the second factor; "": none
	ACR       string
	AMR       []string `gorm:"serializer:signet_json"`
	Facts     []Fact   `gorm:"serializer:signet_json"`

	// FactorSkipped: the second factor of the user was not asked for, because the user trusts this
	// browser. The session does not suffice for acts that need a new proof: see Freshness.AllFactors.
	FactorSkipped bool

	Persistent    bool // "Keep me signed in"
	Agent         string
	Address       string
	IdleFor       time.Duration `gorm:"serializer:signet_millis"`
	CreatedAt     Millis        `gorm:"autoCreateTime:false"`
	SeenAt        Millis
	AdminSeenAt   Millis // when it last used a page for operators, see NoteAdminUse; 0: never
	IdleExpiresAt Millis
	ExpiresAt     Millis
	EndedAt       Millis
	EndReason     string
}

// SessionByHandle reads the live session of a handle and its user in one statement. A live
// session is neither ended nor expired (by inactivity or absolutely), its user is enabled, and
// it was created after not_before of the user and of the instance.
//
// ErrNotFound: there is no such session, or it is not live.
func (db *DB) SessionByHandle(ctx context.Context, handleHash string, at time.Time) (Session, User, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return Session{}, User{}, fmt.Errorf("read session: %w", err)
	}
	var s Session
	var u User
	err := db.read(ctx, "read session", func(q *gorm.DB) error {
		args := append([]any{handleHash}, sessionArgs(at)...)
		return engine.RequireRow(selectSessionByHandle().QueryRow(q, append(engine.Destinations(&s), engine.Destinations(&u)...), args...))
	})
	return s, u, err
}

var selectSessionByHandle = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Session{}, "s") + `, ` + engine.ColumnsOf(&User{}, "u") + `
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.handle_hash = ? AND ` + sessionLives)
})

// Session reads a live session by its ID (sid), and its user. ErrNotFound: there is no such session,
// or it is not live, see SessionByHandle.
func (db *DB) Session(ctx context.Context, id string, at time.Time) (Session, User, error) {
	if err := refuseImpossible(id); err != nil {
		return Session{}, User{}, fmt.Errorf("read session: %w", err)
	}
	var s Session
	var u User
	err := db.read(ctx, "read session by id", func(q *gorm.DB) error {
		if err := q.Raw(`SELECT s.* FROM sessions s WHERE s.id = ? AND ?`, id, liveSession(at)).Take(&s).Error; err != nil {
			return err
		}
		return q.Where("id = ? AND "+isUser, s.UserID).Take(&u).Error
	})
	return s, u, err
}

// SessionsOf lists the live sessions of a user, the last seen first.
func (db *DB) SessionsOf(ctx context.Context, userID string, at time.Time) ([]Session, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var list []Session
	err := db.read(ctx, "list sessions", func(q *gorm.DB) error {
		return q.Raw(`SELECT s.* FROM sessions s WHERE s.user_id = ? AND ? ORDER BY s.seen_at DESC, s.id`,
			userID, liveSession(at)).Find(&list).Error
	})
	return list, err
}

// longestStolenList is the largest number of stolen sessions that are listed.
const longestStolenList = 5

// StolenSessions lists the sessions of a user that ended at or after since because a replaced
// refresh token of theirs was used again. It lists at most five, the last ended first.
func (db *DB) StolenSessions(ctx context.Context, userID string, since time.Time) ([]Session, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list stolen sessions: %w", err)
	}
	var list []Session
	err := db.read(ctx, "list stolen sessions", func(q *gorm.DB) error {
		return q.Where("user_id = ? AND end_reason = ? AND ended_at >= ?", userID, replayed, At(since)).
			Order("ended_at DESC, id").Limit(longestStolenList).Find(&list).Error
	})
	return list, err
}

// IsHandleStolen reports whether the session of a handle ended for the reason of StolenSessions.
func (db *DB) IsHandleStolen(ctx context.Context, handleHash string, since time.Time) (bool, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return false, fmt.Errorf("look for a stolen session: %w", err)
	}
	var n int64
	err := db.read(ctx, "look for a stolen session", func(q *gorm.DB) error {
		return q.Model(&Session{}).Where("handle_hash = ? AND end_reason = ? AND ended_at >= ?", handleHash, replayed, At(since)).Count(&n).Error
	})
	return n > 0, err
}
