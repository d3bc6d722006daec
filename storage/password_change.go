package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// PasswordChange is the input of DB.ChangePassword.
type PasswordChange struct {
	UserID    string
	OldHash   string // what was checked: the change is lost if it is not that any more
	NewHash   string
	SessionID string // of the browser that changes it
	Handle    string // hash of that browser's new handle
	GiveBack  Reservation
	From      Origin
}

// ChangePassword replaces a password and ends all the user has, in one
// transaction: every other session and every grant, offline ones too. The
// browser that changed it goes on in a new session with the facts of the old.
// Event password.changed.
//
// ErrConflict: the password is not OldHash any more. ErrRevoked: the session is dead.
func (db *DB) ChangePassword(ctx context.Context, c PasswordChange, at time.Time) (Session, error) {
	if err := refuseImpossible(c.UserID, c.SessionID, c.Handle); err != nil {
		return Session{}, fmt.Errorf("change password: %w", err)
	}
	if c.NewHash == "" || c.OldHash == "" {
		return Session{}, errors.New("change password: a hash is empty")
	}
	var session Session
	err := db.write(ctx, "change password", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, c.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, c.UserID, c.SessionID, "", at); err != nil {
			return err
		}
		replaced, err := changed(tx, `UPDATE credentials SET secret = ?, updated_at = ? WHERE user_id = ? AND kind = 'password' AND secret = ?`,
			[]byte(c.NewHash), At(at), c.UserID, []byte(c.OldHash))
		if err != nil {
			return err
		}
		if !replaced {
			return ErrConflict
		}
		if session, err = renewAfterEnding(tx, c, at); err != nil {
			return err
		}
		if err := giveBack(tx, c.GiveBack); err != nil {
			return err
		}
		return record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, UserID: c.UserID, SessionID: session.ID, From: c.From}, at)
	})
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

// renewAfterEnding ends all of the user and starts this browser anew, later than
// what ended the rest.
func renewAfterEnding(tx *gorm.DB, c PasswordChange, at time.Time) (Session, error) {
	var session Session
	if err := tx.Where("id = ? AND user_id = ?", c.SessionID, c.UserID).Take(&session).Error; err != nil {
		return Session{}, err
	}
	if err := endSession(tx, c.UserID, c.SessionID, "password_changed", By{From: c.From, At: at}); err != nil {
		return Session{}, err
	}
	if err := endAllOf(tx, c.UserID, at); err != nil {
		return Session{}, err
	}
	notBefore, err := admit(tx, c.UserID)
	if err != nil {
		return Session{}, err
	}
	session.ID, session.HandleHash = NewID("ses_"), c.Handle
	session.CreatedAt = max(At(at), notBefore+1)
	row := session
	return session, tx.Create(&row).Error
}
