package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// PasswordReset is the input of DB.ResetPassword.
type PasswordReset struct {
	UserID   string
	Hash     string
	Reason   string         // a stable code for the events
	Unproven UnprovenPolicy // typing a password proves no address
	From     Origin
}

// ResetPassword sets a user's password hash, gives the user one if there was
// none, and ends all the user has, in one transaction: every session and every
// grant, offline ones too. A person who knew the old password keeps no access. It
// returns what was evicted. Events password.changed and session.ended_all, with
// reason, and user.evicted.
//
// ErrNotFound. *UnprovenError: the address is only claimed, and more than a password
// is attached to the account.
func (db *DB) ResetPassword(ctx context.Context, r PasswordReset, at time.Time) (evicted Attached, err error) {
	if err := refuseImpossible(r.UserID); err != nil {
		return Attached{}, fmt.Errorf("reset password: %w", err)
	}
	if r.Hash == "" {
		return Attached{}, errors.New("reset password: the hash is empty")
	}
	err = db.write(ctx, "reset password", func(tx *gorm.DB) error {
		evicted = Attached{}
		u, err := db.lockUser(tx, r.UserID)
		if err != nil {
			return err
		}
		attached, err := attachedTo(tx, u.ID, at)
		if err != nil {
			return err
		}
		attached = attached.withoutPassword()
		cleared, err := clearClaimed(tx, u, attached, r.Unproven, By{From: r.From, At: at})
		if err != nil {
			return err
		}
		if cleared {
			evicted = attached
		}
		if err := setPassword(tx, u.ID, r.Hash, at); err != nil {
			return err
		}
		if err := endAllOf(tx, u.ID, at); err != nil {
			return err
		}
		if err := record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, Reason: r.Reason, UserID: u.ID, From: r.From}, at); err != nil {
			return err
		}
		return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: r.Reason, UserID: u.ID, From: r.From}, at)
	})
	if err != nil {
		return Attached{}, err
	}
	return evicted, nil
}
