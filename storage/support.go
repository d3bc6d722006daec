package storage

import (
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Support is the common part of the acts with which an operator lets a locked-out user in: one-time
// links and the reset of the factors.
type Support struct {
	Note   string // why, in the words of the operator, for the detail of the event; "": not said
	Alone  bool   // refuse the act within a day of the other one, see ErrLinkAndReset
	Checks []UserCheck
}

// ErrLinkAndReset: an operator has made a link for the user within a day, and the factors are to be
// reset, or the other way round. Both together open an account whose owner does nothing, so one
// operator who may not do everything does only one of them.
var ErrLinkAndReset = engine.NewVerdict("a link and a reset of the factors within a day")

// supportInterval is the time between a link and a reset, see ErrLinkAndReset.
const supportInterval = 24 * time.Hour

// checkLink runs the checks of a link, under the lock of the row of the user. ErrRevoked: the user is
// disabled.
func (s Support) checkLink(tx *gorm.DB, u User, at time.Time) error {
	if err := runChecks(u, s.Checks); err != nil {
		return err
	}
	if !u.Enabled() {
		return &RevokedError{"user_disabled"}
	}
	return s.checkAlone(tx, u, []EventType{FactorsReset}, at)
}

// checkReset runs the checks of a reset, under the lock of the row of the user.
func (s Support) checkReset(tx *gorm.DB, u User, at time.Time) error {
	if err := runChecks(u, s.Checks); err != nil {
		return err
	}
	return s.checkAlone(tx, u, []EventType{PasswordResetRequested, PasskeyRequested}, at)
}

// checkAlone looks for the events of the other act, see ErrLinkAndReset. The event of a mail that the
// user asked for has the user as actor, and does not count.
func (s Support) checkAlone(tx *gorm.DB, u User, others []EventType, at time.Time) error {
	if !s.Alone {
		return nil
	}
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM events WHERE user_id = ? AND user_id <> '' AND at > ? AND type IN ? AND actor <> user_id`,
		u.ID, At(at.Add(-supportInterval)), others).Scan(&n).Error
	if err == nil && n > 0 {
		err = ErrLinkAndReset
	}
	return err
}

// detail is the detail of the event of the act.
func (s Support) detail() map[string]any {
	if s.Note == "" {
		return nil
	}
	return map[string]any{"reason": cleanText(s.Note, longestNote)}
}

// longestNote is the longest Support.Note in bytes.
const longestNote = 1000
