package storage

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// The mails about the choice to be asked for a passkey at each sign-in.
const (
	MailAlwaysAskOn  MailKind = "always_ask_on"
	MailAlwaysAskOff MailKind = "always_ask_off"
)

// programWithAlwaysAsk is the number of the migration that came with the choice.
const programWithAlwaysAsk = 22

// AlwaysAskChange is the input of DB.SetAlwaysAsk.
type AlwaysAskChange struct {
	FactorChange
	On    bool
	Codes [][]byte // hashes of recovery codes, for a user who has none; only with On
}

// SetAlwaysAsk stores whether a user with a proven passkey is asked for it as second factor at each
// sign-in that has one factor. The choice has no effect while the user has an authenticator app or a
// security key, which are asked for anyway. All other sessions and all grants of the user end, see
// changeFactors. It reports whether the codes were stored. It records the events
// factor.always_ask_changed and session.ended.
//
// ErrConflict: the user has chosen so before. ErrNotFound: the user has no proven passkey that can be
// used. ErrRevoked, ErrNotFresh.
func (db *DB) SetAlwaysAsk(ctx context.Context, c AlwaysAskChange, at time.Time) (s Session, newCodes bool, err error) {
	since, mail := Millis(0), MailAlwaysAskOff
	if c.On {
		since, mail = At(at), MailAlwaysAskOn
	}
	s, err = db.changeFactors(ctx, "change always ask", c.FactorChange, func(tx *gorm.DB) (err error) {
		newCodes = false
		if c.On {
			if newCodes, err = prepareAlwaysAsk(tx, c, at); err != nil {
				return err
			}
		}
		changed, err := changeOne(tx, `UPDATE users SET always_ask_at = ? WHERE id = ? AND (always_ask_at <> 0) <> ?`, since, c.UserID, c.On)
		if err != nil {
			return err
		}
		if !changed {
			return ErrConflict
		}
		if err := db.notify(tx, MailDraft{Kind: mail, UserID: c.UserID}, By{From: c.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: AlwaysAskChanged, Outcome: Succeeded, UserID: c.UserID, From: c.From, Detail: map[string]any{"on": c.On}}, at)
	}, nil, at)
	return s, newCodes && err == nil, err
}

// prepareAlwaysAsk checks that the user can be asked for a passkey, and stores the recovery codes if
// the user has none. It keeps programs from opening the database that would not ask.
func prepareAlwaysAsk(tx *gorm.DB, c AlwaysAskChange, at time.Time) (newCodes bool, err error) {
	var n int64
	if err := tx.Raw(`SELECT COUNT(*) FROM users u JOIN credentials f ON f.user_id = u.id WHERE u.id = ? AND f.kind = 'webauthn' AND f.proven_at <> 0 AND `+ofOwnHost("f"), c.UserID).Scan(&n).Error; err != nil {
		return false, err
	}
	if n == 0 {
		return false, ErrNotFound
	}
	if err := requireProgram(tx, programWithAlwaysAsk); err != nil {
		return false, err
	}
	return addFirstCodes(tx, c.UserID, c.Codes, at)
}

// endAlwaysAsk ends the choice of a user who has no proven passkey any more. A later passkey is asked
// for only if the user chooses it again.
func endAlwaysAsk(tx *gorm.DB, userID string) error {
	return tx.Exec(`UPDATE users AS u SET always_ask_at = 0 WHERE u.id = ? AND u.always_ask_at <> 0 AND NOT `+hasProvenPasskey, userID).Error
}
