package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// EndSession ends one session of a user. Its online grants become invalid, and its clients get
// logout notices (see Notice). Both IDs must be set. If the session has ended already, nothing
// happens. It records the event session.ended. ErrNotFound: there are checks, but no such user. The
// error of a check.
func (db *DB) EndSession(ctx context.Context, userID, sessionID, reason string, by By, checks ...UserCheck) error {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return db.write(ctx, "end session", func(tx *gorm.DB) error {
		if len(checks) > 0 {
			if err := db.checkUser(tx, userID, checks); err != nil {
				return err
			}
		}
		return endSession(tx, userID, sessionID, reason, by)
	})
}

func endSession(tx *gorm.DB, userID, sessionID, reason string, by By) error {
	return endSessionWithEvent(tx, Event{UserID: userID, SessionID: sessionID, Reason: reason, From: by.From}, by.At)
}

// endSessionWithEvent is endSession with further values for the event.
func endSessionWithEvent(tx *gorm.DB, e Event, at time.Time) error {
	var rows int64 // all sessions of the user
	ended, err := endOne.QueryRow(tx, []any{&rows}, At(at), cleanText(e.Reason, longestName), e.SessionID, e.UserID)
	if err != nil || !ended {
		return err
	}
	if err := queueLogout(tx, at, `s.id = ?`, e.SessionID); err != nil {
		return err
	}
	e.Type, e.Outcome, e.repeated = SessionEnded, Succeeded, rows >= MaxSessionRows
	return record(tx, e, at)
}

var endOne = engine.NewStatement(`UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND user_id = ? AND ended_at = 0
	RETURNING (SELECT COUNT(*) FROM sessions o WHERE o.user_id = sessions.user_id)`)

// SignOutEverywhere ends all sessions and grants of a user, including offline grants. It records the event
// session.ended_all. ErrNotFound, the error of a check.
func (db *DB) SignOutEverywhere(ctx context.Context, userID, reason string, by By, checks ...UserCheck) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("sign out everywhere: %w", err)
	}
	return db.write(ctx, "sign out everywhere", func(tx *gorm.DB) error {
		if err := db.checkUser(tx, userID, checks); err != nil {
			return err
		}
		if err := endAllOfUser(tx, userID, by.At); err != nil {
			return err
		}
		return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: reason, UserID: userID, From: by.From}, by.At)
	})
}

// EndOtherSessions ends all sessions of a user except one, together with their online grants.
// Offline grants stay valid. No browser is trusted any more, not even that of the kept session. It
// records the event session.ended for each session.
func (db *DB) EndOtherSessions(ctx context.Context, userID, keep, reason string, by By) error {
	if err := refuseImpossible(userID, keep); err != nil {
		return fmt.Errorf("end other sessions: %w", err)
	}
	return db.write(ctx, "end other sessions", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		var others []string
		err := tx.Raw(`SELECT id FROM sessions WHERE user_id = ? AND id <> ? AND ended_at = 0 ORDER BY id`, userID, keep).Scan(&others).Error
		if err != nil {
			return err
		}
		for _, id := range others {
			if err := endSession(tx, userID, id, reason, by); err != nil {
				return err
			}
		}
		return endTrusts(tx, userID)
	})
}
