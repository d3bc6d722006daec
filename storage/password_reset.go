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
	UserID     string
	Hash       string
	Reason     string         // a stable code for the events
	Unproven   UnprovenPolicy // needed because setting a password does not verify the address
	Connectors []string       // the connectors through which people can sign in now
	From       Origin
}

// ResetPassword sets the password hash of a user, also if the user had no password. It ends all
// sessions and grants, including offline grants, and removes the unproven passkeys, so that a person
// who knows the old password loses access. With KeepAttached the passkeys stay. It returns the
// attachments that were evicted. A user who had only proven passkeys is asked for one, or for a
// recovery code, after the new password: see SetAlwaysAsk. It records the events password.changed and
// session.ended_all, both with r.Reason, user.evicted and factor.always_ask_changed.
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
		how := replacement{UserID: u.ID, Hash: r.Hash, Reason: r.Reason, KeepPasskeys: r.Unproven == KeepAttached, Connectors: r.Connectors}
		return db.replacePassword(tx, how, By{From: r.From, At: at})
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

// replacement is a new password from a person who does not know the old one.
type replacement struct {
	UserID       string
	Hash         string
	Reason       string   // a stable code for the events
	KeepPasskeys bool     // an operator vouches for the unproven passkeys
	Connectors   []string // identities of other connectors are no way in
}

// replacePassword sets the password hash of a user, removes the unproven passkeys, and ends all
// sessions and grants of the user. See keepAskingForPasskeys for a user who had only passkeys. It
// records the events password.changed and session.ended_all with the reason, passkey.removed and
// factor.always_ask_changed. The caller holds the lock of the user's row.
func (db *DB) replacePassword(tx *gorm.DB, r replacement, by By) error {
	asks, err := keepAskingForPasskeys(tx, r, by)
	if err != nil {
		return err
	}
	if err := setPassword(tx, r.UserID, r.Hash, by.At); err != nil {
		return err
	}
	removed := false
	if !r.KeepPasskeys {
		if removed, err = removeUnprovenPasskeys(tx, r, by); err != nil {
			return err
		}
	}
	if err := endAllOfUser(tx, r.UserID, by.At); err != nil {
		return err
	}
	if err := db.notify(tx, MailDraft{Kind: MailPasswordChanged, UserID: r.UserID, Facts: MailFacts{PasskeysRemoved: removed, AsksPasskey: asks}}, by); err != nil {
		return err
	}
	if err := record(tx, Event{Type: PasswordChanged, Outcome: Succeeded, Reason: r.Reason, UserID: r.UserID, From: by.From}, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: r.Reason, UserID: r.UserID, From: by.From}, by.At)
}

// keepAskingForPasskeys turns on the choice of SetAlwaysAsk for a user who can sign in with proven
// passkeys only and now gets a password: the passkey, or a recovery code, is asked for after it.
// Otherwise a person who reads the mails of the user could get in without the passkey. It reports
// whether the choice is new.
//
// An identity is another way in with one factor, so nothing changes then. Those of connectors that this
// instance has no longer are no way in.
func keepAskingForPasskeys(tx *gorm.DB, r replacement, by By) (bool, error) {
	asks, err := changeOne(tx, `UPDATE users AS u SET always_ask_at = ? WHERE u.id = ? AND u.always_ask_at = 0 AND `+hasProvenPasskey+`
		AND NOT EXISTS (SELECT 1 FROM credentials p WHERE p.user_id = u.id AND p.kind = 'password')
		AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.connector IN ?)`, At(by.At), r.UserID, r.Connectors)
	if err != nil || !asks {
		return false, err
	}
	if err := requireProgram(tx, programWithAlwaysAsk); err != nil {
		return false, err
	}
	return true, record(tx, Event{
		Type: AlwaysAskChanged, Outcome: Succeeded, Reason: r.Reason, UserID: r.UserID, From: by.From, Detail: map[string]any{"on": true},
	}, by.At)
}

// removeUnprovenPasskeys removes the passkeys of a user that were added with one factor, and reports
// whether there were any. Somebody who knew the old password could have added them. The undo of a
// changed address brings back the ways from before the change nevertheless, the old password too:
// the person who sets the new password may be the one against whom it is.
func removeUnprovenPasskeys(tx *gorm.DB, r replacement, by By) (bool, error) {
	var names []string
	err := tx.Raw(`DELETE FROM credentials WHERE user_id = ? AND kind = 'webauthn' AND proven_at = 0 RETURNING name`, r.UserID).Scan(&names).Error
	if err != nil {
		return false, err
	}
	for range names {
		if err := record(tx, Event{Type: PasskeyRemoved, Outcome: Succeeded, Reason: r.Reason, UserID: r.UserID, From: by.From}, by.At); err != nil {
			return false, err
		}
	}
	return len(names) > 0, nil
}
