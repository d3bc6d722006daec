package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ResetPassword sets a user's password hash, gives the user one if there was
// none, and ends all the user has, in one transaction: every session and every
// grant, offline ones too. Whoever knew the old password keeps nothing by it.
// Events password.changed and session.ended_all, with reason. ErrNotFound.
func (db *DB) ResetPassword(ctx context.Context, userID, hash, reason string, from Origin, at time.Time) error {
	if err := checkIDs(userID); err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	if hash == "" {
		return errors.New("reset password: the hash is empty")
	}
	return db.write(ctx, "reset password", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		if err := exists(tx, &User{}, userID); err != nil {
			return err
		}
		if err := setPassword(tx, userID, hash, at); err != nil {
			return err
		}
		if err := endAllOf(tx, userID, at); err != nil {
			return err
		}
		if err := record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, Reason: reason, UserID: userID, From: from}, at); err != nil {
			return err
		}
		return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: reason, UserID: userID, From: from}, at)
	})
}
