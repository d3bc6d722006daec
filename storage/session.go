package storage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Session binds one browser to one user: single sign-on, the first-party cookies
// and the account pages. ID is the sid that clients see and proves nothing; the
// browser holds a handle of which only the hash is here.
type Session struct {
	ID         string
	HandleHash string
	UserID     string

	AuthTime  Millis // when the user last proved who they are; 0: nobody knows (see ArrivedAt)
	ArrivedAt Millis // when the user last came here, through whatever way
	Connector string // through which the session was opened; "" for a way of our own
	Identity  string // key of the identity that opened it; "" for a way of our own
	ACR       string
	AMR       []string `gorm:"serializer:signet_json"`
	Facts     []Fact   `gorm:"serializer:signet_json"`

	Persistent    bool // "Keep me signed in"
	Agent         string
	Address       string
	IdleFor       time.Duration `gorm:"serializer:signet_millis"`
	CreatedAt     Millis        `gorm:"autoCreateTime:false"`
	SeenAt        Millis
	IdleExpiresAt Millis
	ExpiresAt     Millis
	EndedAt       Millis
	EndReason     string
}

// FactKind names what a step of a sign-in found out.
type FactKind string

const (
	FactAuthenticated FactKind = "authenticated" // proved anew who they are
	FactArrived       FactKind = "arrived"       // came through an upstream that was not seen to ask
	FactDeclined      FactKind = "declined"      // does not want to prove it anew
	FactChosen        FactKind = "chosen"        // the user picked this account
	FactAllowed       FactKind = "allowed"       // consent given
	FactDenied        FactKind = "denied"        // consent refused
)

// Fact is what one step found out: when, and for which authorization request.
type Fact struct {
	Kind    FactKind `json:"k"`
	At      Millis   `json:"t"`
	Request string   `json:"r"` // the authorization request's id

	Connector string `json:"c,omitempty"` // FactArrived: through which
	Proved    Millis `json:"p,omitempty"` // FactArrived: when, as the upstream says; 0: it does not say
}

// Has reports whether a step of this kind answered that request.
func (s Session) Has(kind FactKind, request string) bool {
	for _, f := range s.Facts {
		if f.Kind == kind && f.Request == request {
			return true
		}
	}
	return false
}

// SessionByHandle reads the live session of a handle with its user in one
// statement. Live: not ended, neither idle nor absolute expiry reached, user
// enabled, made after not_before of user and instance.
//
// ErrNotFound: there is none, or it is dead.
func (db *DB) SessionByHandle(ctx context.Context, handleHash string, at time.Time) (Session, User, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return Session{}, User{}, fmt.Errorf("read session: %w", err)
	}
	var s Session
	var u User
	err := db.read(ctx, "read session", func(q *gorm.DB) error {
		args := append([]any{handleHash}, sessionNow(at)...)
		return engine.Existing(selectSessionByHandle().Row(q, append(engine.Destinations(&s), engine.Destinations(&u)...), args...))
	})
	return s, u, err
}

// The hash is cast for the reason given at selectLiveGrant.
var selectSessionByHandle = sync.OnceValue(func() engine.Statement {
	return engine.NewStatement(`SELECT ` + engine.ColumnsOf(&Session{}, "s") + `, ` + engine.ColumnsOf(&User{}, "u") + `
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.handle_hash = CAST(? AS TEXT) AND ` + sessionLives)
})

// SessionsOf lists a user's live sessions, the latest seen first.
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

// longestStolenList bounds what is told of stolen sessions.
const longestStolenList = 5

// StolenSessions lists the sessions of a user that ended since then because a
// refresh token of theirs came back after it had been replaced, the latest first; at
// most five.
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

// HandleStolen reports whether the session of a handle is one of StolenSessions.
func (db *DB) HandleStolen(ctx context.Context, handleHash string, since time.Time) (bool, error) {
	if err := refuseImpossible(handleHash); err != nil {
		return false, fmt.Errorf("look for a stolen session: %w", err)
	}
	var n int64
	err := db.read(ctx, "look for a stolen session", func(q *gorm.DB) error {
		return q.Model(&Session{}).Where("handle_hash = ? AND end_reason = ? AND ended_at >= ?", handleHash, replayed, At(since)).Count(&n).Error
	})
	return n > 0, err
}

// mostFacts bounds a session's facts: a browser that starts request after request
// pushes out its own oldest.
const mostFacts = 16

// AddFact notes what a step found out for a live session of this user. At most
// 16 facts are kept, the newest.
//
// ErrRevoked: the session is dead or another user's.
func (db *DB) AddFact(ctx context.Context, userID, sessionID string, f Fact, at time.Time) error {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return fmt.Errorf("add fact: %w", err)
	}
	return db.write(ctx, "add fact", func(tx *gorm.DB) error {
		if _, err := touchSession(tx, userID, sessionID, "", at); err != nil {
			return err
		}
		return addFact(tx, sessionID, f)
	})
}

// addFact adds to a session whose row lock the caller holds.
func addFact(tx *gorm.DB, sessionID string, f Fact) error {
	var s Session
	if err := tx.Select("facts").Where("id = ?", sessionID).Take(&s).Error; err != nil {
		return err
	}
	facts, err := engine.JSONText(newestFacts(append(s.Facts, f)))
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE sessions SET facts = ? WHERE id = ?`, facts, sessionID).Error
}

func newestFacts(facts []Fact) []Fact { return facts[max(0, len(facts)-mostFacts):] }

// EndSession ends one session of one user; its online grants die with it by the
// join, and its clients are told (see Notice). Both ids must be set. Ending an ended
// one does nothing. Event session.ended.
func (db *DB) EndSession(ctx context.Context, userID, sessionID, reason string, by By) error {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return db.write(ctx, "end session", func(tx *gorm.DB) error {
		return endSession(tx, userID, sessionID, reason, by)
	})
}

func endSession(tx *gorm.DB, userID, sessionID, reason string, by By) error {
	return endSessionBy(tx, Event{UserID: userID, SessionID: sessionID, Reason: reason, From: by.From}, by.At)
}

// endSessionBy is endSession, with what else the event tells.
func endSessionBy(tx *gorm.DB, e Event, at time.Time) error {
	var rows int64 // of the user
	ended, err := endOne.Row(tx, []any{&rows}, At(at), cleanText(e.Reason, longestName), e.SessionID, e.UserID)
	if err != nil || !ended {
		return err
	}
	if err := queueLogout(tx, at, `s.id = ?`, e.SessionID); err != nil {
		return err
	}
	e.Type, e.Outcome, e.repeated = SessionEnded, Succeeded, rows >= MaxSessions
	return record(tx, e, at)
}

var endOne = engine.NewStatement(`UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND user_id = ? AND ended_at = 0
	RETURNING (SELECT COUNT(*) FROM sessions o WHERE o.user_id = sessions.user_id)`)
