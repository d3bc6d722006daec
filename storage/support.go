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
	Alone  bool   // the operator may not do everything, see ErrLinkAndReset and ErrNoNotice
	Checks []UserCheck
}

// ErrLinkAndReset: an operator has made a link for the user within a day, and the factors are to be
// reset, or the other way round. Both together open an account whose owner does nothing, so one
// operator who may not do everything does only one of them.
var ErrLinkAndReset = engine.NewVerdict("a link and a reset of the factors within a day")

// ErrNoNotice: no mail can tell the user of the act, because the instance sends none or the user has no
// verified address. So an operator who may not do everything does not act: the owner of the account
// would not learn that somebody else may have come in.
var ErrNoNotice = engine.NewVerdict("no mail can tell the user")

// supportInterval is the time between a link and a reset, see ErrLinkAndReset.
const supportInterval = 24 * time.Hour

// checkLink runs the checks of a link, under the lock of the row of the user. ErrRevoked: the user is
// disabled.
func (db *DB) checkLink(tx *gorm.DB, s Support, u User, at time.Time) error {
	if err := runChecks(u, s.Checks); err != nil {
		return err
	}
	if !u.Enabled() {
		return &RevokedError{"user_disabled"}
	}
	return db.checkAlone(tx, s, u, []EventType{FactorsReset}, at)
}

// checkReset runs the checks of a reset, under the lock of the row of the user.
func (db *DB) checkReset(tx *gorm.DB, s Support, u User, at time.Time) error {
	if err := runChecks(u, s.Checks); err != nil {
		return err
	}
	return db.checkAlone(tx, s, u, []EventType{PasswordResetRequested, PasskeyRequested}, at)
}

// checkAlone checks the limits of Support.Alone. For ErrLinkAndReset it looks for the events of the other
// act. The event of a mail that the user asked for has the user as actor, and does not count.
func (db *DB) checkAlone(tx *gorm.DB, s Support, u User, others []EventType, at time.Time) error {
	if !s.Alone {
		return nil
	}
	if getsNotice := db.mails && u.Email != "" && u.EmailVerified; !getsNotice { // see notify
		return ErrNoNotice
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
