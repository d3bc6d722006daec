package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// IdentityLink is the input of DB.LinkIdentity.
type IdentityLink struct {
	Identity  Identity // UserID: who proved to be both
	ProofID   string   // of the proof, spent in the same transaction
	Until     Millis
	SessionID string // the session in which it was proven
	// Groups are what the upstream says of the person's groups; nil: nothing is known.
	Groups *AssertedGroups

	// Proof is set if the upstream vouches for Identity.Email. If that is the user's
	// address, and the session was proven within FreshFor, the address is proven, too.
	Proof    Voucher
	FreshFor time.Duration
	From     Origin
}

// LinkIdentity gives a signed-in user an identity that it has proven to own.
//
// ErrReplayed: the proof was used before. ErrConflict: the identity is another
// user's. ErrRevoked: the session is dead or another user's.
func (db *DB) LinkIdentity(ctx context.Context, l IdentityLink, at time.Time) error {
	if err := refuseImpossible(l.ProofID, l.Identity.UserID, l.SessionID); err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	if l.Until == 0 {
		return errors.New("link identity: the proof has no expiry")
	}
	return db.write(ctx, "link identity", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, l.Identity.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, l.Identity.UserID, l.SessionID, "", at); err != nil {
			return err
		}
		if err := spendAttempt(tx, l.ProofID, l.Until); err != nil {
			return err
		}
		if err := link(tx, l.Identity, By{From: l.From, At: at}); err != nil {
			return err
		}
		if err := followGroups(tx, l.Identity, l.Groups, By{From: l.From, At: at}); err != nil {
			return err
		}
		return proveInSession(tx, l, at)
	})
}

// proveInSession takes the upstream's word for the user's address, in the user's own
// fresh session. In a session that is not fresh it proves nothing: it would evict the
// person who is signed in.
func proveInSession(tx *gorm.DB, l IdentityLink, at time.Time) error {
	if l.Proof == "" {
		return nil
	}
	own, err := ownSession(tx, l.Identity.UserID, sessionKey{"id", l.SessionID}, l.FreshFor, at)
	if err != nil || !own {
		return err
	}
	_, err = prove(tx, AddressProof{UserID: l.Identity.UserID, Email: l.Identity.Email, By: l.Proof, From: l.From}, own, at)
	if errors.Is(err, ErrConflict) {
		return nil // another address than the user's: the link proves nothing of that
	}
	return err
}
