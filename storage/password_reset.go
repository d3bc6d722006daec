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
	Unproven UnprovenPolicy // needed because setting a password does not verify the address
	From     Origin
}

// ResetPassword sets the password hash of a user, also if the user had no password. It ends all
// sessions and grants, including offline grants, so that a person who knows the old password
// loses access. It returns the attachments that were evicted. It records the events password.changed and
// session.ended_all, both with r.Reason, and user.evicted.
//
// ErrNotFound. *UnprovenError: the address is not verified, and more than a password is attached
// to the account.
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
		if evicted, err = evictBeforePassword(tx, u, r.Unproven, By{From: r.From, At: at}); err != nil {
			return err
		}
		return db.replacePassword(tx, u.ID, r.Hash, r.Reason, By{From: r.From, At: at})
	})
	if err != nil {
		return Attached{}, err
	}
	return evicted, nil
}

// evictBeforePassword is evictIfUnproven for an act that sets a password, and returns what was
// evicted. The old password does not count, because it is replaced.
func evictBeforePassword(tx *gorm.DB, u User, do UnprovenPolicy, by By) (Attached, error) {
	attached, err := attachedTo(tx, u.ID, by.At)
	if err != nil {
		return Attached{}, err
	}
	attached = attached.withoutPassword()
	evicted, err := evictIfUnproven(tx, u, attached, do, by)
	if err != nil || !evicted {
		return Attached{}, err
	}
	return attached, nil
}

// replacePassword sets the password hash of a user and ends all sessions and grants of the user.
// It records the events password.changed and session.ended_all with the reason. The caller holds
// the lock of the user's row.
func (db *DB) replacePassword(tx *gorm.DB, userID, hash, reason string, by By) error {
	if err := setPassword(tx, userID, hash, by.At); err != nil {
		return err
	}
	if err := endAllOfUser(tx, userID, by.At); err != nil {
		return err
	}
	if err := db.notify(tx, MailDraft{Kind: MailPasswordChanged, UserID: userID}, by); err != nil {
		return err
	}
	if err := record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, Reason: reason, UserID: userID, From: by.From}, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: reason, UserID: userID, From: by.From}, by.At)
}
