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
	Identity  Identity // UserID is the user who proved both accounts
	ProofID   string   // of the proof; it can be used once
	Until     Millis
	SessionID string // the session in which the proof was given
	// Groups are the groups of the person at the upstream; nil: unknown.
	Groups *AssertedGroups

	// Proof is set if the upstream vouches for Identity.Email. The user's address is then marked
	// as verified too, if it is the same address and the user authenticated in the session
	// within FreshFor.
	Proof    Voucher
	FreshFor time.Duration
	From     Origin
}

// LinkIdentity links an identity to a signed-in user. The user has proved to own it.
//
// ErrReplayed: the proof was used before. ErrConflict: the identity belongs to another user.
// ErrRevoked: the session has ended or is another user's. ErrNotFresh: it has one factor, and the
// account can reach two.
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
		if err := checkStrongEnough(tx, l.Identity.UserID, l.SessionID); err != nil {
			return err
		}
		if err := spendAttempt(tx, l.ProofID, l.Until); err != nil {
			return err
		}
		fresh, err := linkIdentity(tx, l.Identity, By{From: l.From, At: at})
		if err != nil {
			return err
		}
		if fresh {
			if err := db.notifyLinked(tx, l.Identity, By{From: l.From, At: at}); err != nil {
				return err
			}
		}
		if err := storeAssertedGroups(tx, l.Identity, l.Groups, By{From: l.From, At: at}); err != nil {
			return err
		}
		return proveInSession(tx, l, at)
	})
}

// proveInSession marks the user's address as verified by the upstream, if the user's own session
// is fresh. Otherwise it does nothing, because the proof would evict the signed-in person.
func proveInSession(tx *gorm.DB, l IdentityLink, at time.Time) error {
	if l.Proof == "" {
		return nil
	}
	own, err := isOwnFreshSession(tx, l.Identity.UserID, sessionKey{"id", l.SessionID}, l.FreshFor, at)
	if err != nil || !own {
		return err
	}
	_, err = proveAddress(tx, AddressProof{UserID: l.Identity.UserID, Email: l.Identity.Email, By: l.Proof, From: l.From}, own, at)
	if errors.Is(err, ErrConflict) {
		return nil // the upstream vouches for an address other than the user's
	}
	return err
}
