package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ConditionalCreate is the reason of the event passkey.added for a passkey that a browser made by
// itself.
const ConditionalCreate = "conditional_create"

// AddAutomaticPasskey adds the first passkey of an account, which the browser made by itself after a
// sign-in (WebAuthn, section 5.1.3, conditional mediation). It is proven if the session of this browser
// has two factors. It records the event passkey.added.
//
// The other sessions go on: the passkey replaces nothing, and until it is proven it opens no more than
// the password that was just given. For that reason it needs no proof of the address either. A new
// password removes it, unless it is proven.
//
// ErrReplayed: the challenge was used before. ErrRevoked: the session has ended or is another user's.
// ErrNotFresh. ErrConflict: the user has a passkey, or this one belongs to an account already.
// ErrOtherRPID: it does not belong to the RP ID of the instance.
func (db *DB) AddAutomaticPasskey(ctx context.Context, a PasskeyAddition, at time.Time) error {
	p := a.Passkey
	p.UserID, p.Kind, p.Detail.Automatic = a.UserID, FactorPasskey, true
	if err := refuseImpossible(a.UserID, a.SessionID, p.Handle, p.RPID, a.ChallengeID); err != nil {
		return fmt.Errorf("add automatic passkey: %w", err)
	}
	if len(p.PublicKey) == 0 || p.RPID == "" {
		return errors.New("add automatic passkey: the public key or the RP ID is empty")
	}
	return db.write(ctx, "add automatic passkey", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, a.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, a.UserID, a.SessionID, "", at); err != nil {
			return err
		}
		if err := checkFreshEnough(tx, a.FactorChange, at); err != nil {
			return err
		}
		if err := spendChallenge(tx, a.ChallengeID, a.Until); err != nil {
			return err
		}
		var has int64
		if err := tx.Raw(`SELECT COUNT(*) FROM credentials c WHERE c.user_id = ? AND c.kind = 'webauthn' AND `+ofOwnHost("c"), p.UserID).Scan(&has).Error; err != nil {
			return err
		}
		if has > 0 {
			return ErrConflict
		}
		strong, err := hasTwoFactors(tx, a.SessionID)
		if err != nil {
			return err
		}
		if strong {
			p.ProvenAt = At(at)
		}
		if err := insertPasskey(tx, p, at); err != nil {
			return err
		}
		notice := MailDraft{Kind: MailPasskeyMade, UserID: p.UserID, Facts: MailFacts{Name: cleanText(p.Name, longestName)}}
		if err := db.notify(tx, notice, By{From: a.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: PasskeyAdded, Outcome: Succeeded, Reason: ConditionalCreate, UserID: p.UserID, SessionID: a.SessionID, From: a.From}, at)
	})
}
