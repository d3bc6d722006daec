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
	OldHash   string // the checked hash; it must still be the stored one
	NewHash   string
	SessionID string // of the browser that changes the password
	Handle    string // hash of that browser's new session handle
	GiveBack  Reservation
	From      Origin
}

// ChangePassword replaces a password, and ends all other sessions and all grants of the user,
// including offline grants, in one transaction. The browser that changed the password gets a new
// session with the facts of the old one. It records the event password.changed.
//
// ErrConflict: OldHash is no longer the stored hash. ErrRevoked: the session has ended. ErrNotFresh:
// it is weaker than the account can reach.
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
		if err := checkStrongEnough(tx, c.UserID, c.SessionID); err != nil {
			return err
		}
		replaced, err := changeOne(tx, `UPDATE credentials SET secret = ?, updated_at = ? WHERE user_id = ? AND kind = 'password' AND secret = ?`,
			[]byte(c.NewHash), At(at), c.UserID, []byte(c.OldHash))
		if err != nil {
			return err
		}
		if !replaced {
			return ErrConflict
		}
		if session, err = renewAfterEnding(tx, renewal{c.UserID, c.SessionID, c.Handle, "password_changed"}, By{From: c.From, At: at}); err != nil {
			return err
		}
		if err := giveBack(tx, c.GiveBack); err != nil {
			return err
		}
		if err := db.notify(tx, MailDraft{Kind: MailPasswordChanged, UserID: c.UserID}, By{From: c.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, UserID: c.UserID, SessionID: session.ID, From: c.From}, at)
	})
	if err != nil {
		return Session{}, err
	}
	return session, nil
}

// renewal says which browser stays signed in when everything else of a user ends.
type renewal struct {
	UserID    string
	SessionID string // the browser's session
	Handle    string // hash of the browser's new session handle
	Reason    string // why the old session ended; a stable code
}

// renewAfterEnding ends everything of the user and starts a new session for this browser. The
// new session is later than not_before, so it is not ended too. The caller holds the lock of the
// user's row for an update.
func renewAfterEnding(tx *gorm.DB, r renewal, by By) (Session, error) {
	var session Session
	if err := tx.Where("id = ? AND user_id = ?", r.SessionID, r.UserID).Take(&session).Error; err != nil {
		return Session{}, err
	}
	if err := endSession(tx, r.UserID, r.SessionID, r.Reason, by); err != nil {
		return Session{}, err
	}
	if err := endAllOfUser(tx, r.UserID, by.At); err != nil {
		return Session{}, err
	}
	notBefore, err := requireEnabled(tx, r.UserID)
	if err != nil {
		return Session{}, err
	}
	session.ID, session.HandleHash = NewID("ses_"), r.Handle
	session.CreatedAt = max(At(by.At), notBefore+1)
	row := session
	return session, tx.Create(&row).Error
}
