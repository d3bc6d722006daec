package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// AddressRequest is the input of DB.RequestAddressProof and DB.RequestAddressChange.
type AddressRequest struct {
	UserID    string
	SessionID string // the session in which the user asks
	// FreshFor is the longest time since the user authenticated in that session. Only
	// RequestAddressChange has this condition.
	FreshFor time.Duration
	Email    string // the address to prove, or the new one, as entered
	// Final: the user does not control the present address any more, so the change is not to be
	// undone. Only for RequestAddressChange, in a session with two factors.
	Final  bool
	Limits []Limit // reserved for every request
	From   Origin
}

// check returns the canonical address.
func (r AddressRequest) check() (canonical string, err error) {
	if canonical, err = CanonicalEmail(r.Email); err != nil {
		return "", err
	}
	return canonical, errors.Join(refuseImpossible(r.UserID, r.SessionID), checkLimitKeys(r.Limits))
}

// RequestAddressProof writes a mail with a link to the unverified address of a user, who asks for
// it in a session of this account. See VerifyAddress for the link. It records the event
// address.proof_requested.
//
// ErrConflict: the address is verified, or is not the user's any more. ErrRevoked: the session has
// ended or is another user's. *ThrottledError: a limit is exceeded.
func (db *DB) RequestAddressProof(ctx context.Context, r AddressRequest, at time.Time) error {
	canonical, err := r.check()
	if err != nil {
		return fmt.Errorf("request address proof: %w", err)
	}
	return db.write(ctx, "request address proof", func(tx *gorm.DB) error {
		// The limits come first, as in every request for a mail, so that two of them cannot deadlock.
		if _, err := countAttempts(tx, r.Limits, at); err != nil {
			return err
		}
		u, err := db.lockSignedIn(tx, r.UserID, r.SessionID, at)
		if err != nil {
			return err
		}
		if u.EmailVerified || u.EmailCanonical != canonical {
			return ErrConflict
		}
		link, err := issueLink(tx, LinkDraft{Kind: LinkVerify, Holder: u.ID, UserID: u.ID, Address: u.Email}, at)
		if err != nil {
			return err
		}
		err = queueMail(tx, MailDraft{Kind: MailAddressProof, Recipient: u.Email, UserID: u.ID, Link: link.Ref(), Facts: factsOf(u.ID, By{From: r.From, At: at})}, at)
		if err != nil {
			return err
		}
		return record(tx, Event{Type: AddressProofRequested, Outcome: Succeeded, UserID: u.ID, SessionID: r.SessionID, From: r.From}, at)
	})
}

// lockSignedIn locks a user and a live session of the user, and reads the user. ErrRevoked: the
// session has ended or is another user's.
func (db *DB) lockSignedIn(tx *gorm.DB, userID, sessionID string, at time.Time) (User, error) {
	if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
		return User{}, err
	}
	if _, err := touchSession(tx, userID, sessionID, "", at); err != nil {
		return User{}, err
	}
	var u User
	return u, tx.Where("id = ?", userID).Take(&u).Error
}

// lockFreshlySignedIn is lockSignedIn for an act that needs a session in which the user
// authenticated within fresh, at the highest level that the account can reach. Otherwise it returns
// ErrNotFresh.
func (db *DB) lockFreshlySignedIn(tx *gorm.DB, userID, sessionID string, fresh time.Duration, at time.Time) (User, error) {
	u, err := db.lockSignedIn(tx, userID, sessionID, at)
	if err != nil {
		return User{}, err
	}
	return u, checkFreshEnough(tx, FactorChange{UserID: userID, SessionID: sessionID, FreshFor: fresh}, at)
}

// AddressVerification is the input of DB.VerifyAddress.
type AddressVerification struct {
	Link   LinkRef // of kind LinkVerify
	UserID string  // of the row of the link
	// SessionID is the user's own session in this browser; "": the browser is not signed in as the
	// user. FreshFor is the longest time since the user authenticated in it.
	SessionID string
	FreshFor  time.Duration
	From      Origin
}

// VerifyAddress spends a mailed link and marks the address of its user as verified, as
// ProveAddress does. In the user's own session nothing is evicted, and the session gets
// FactAddressProved. Without a session, the first proof evicts. It reports whether it did. It records the events of ProveAddress.
//
// *DeadLinkError: the link cannot be used, or is for another address than the user now has.
// ErrRevoked: the session has ended, is another user's, or the user authenticated in it too long
// ago. Nothing is changed then.
func (db *DB) VerifyAddress(ctx context.Context, v AddressVerification, at time.Time) (evicted bool, err error) {
	if err := refuseImpossible(v.UserID); err != nil {
		return false, fmt.Errorf("verify address: %w", err)
	}
	ended := &DeadLinkError{v.Link.Kind, "link_ended"}
	if v.Link.Kind != LinkVerify {
		return false, ended
	}
	err = db.write(ctx, "verify address", func(tx *gorm.DB) error {
		evicted = false
		if err := db.lockRow(tx, userRow, v.UserID, forUpdate); err != nil {
			return err
		}
		l, err := spendLink(tx, v.Link, at)
		if err != nil {
			return err
		}
		if l.UserID != v.UserID || l.Printed || l.ChangesAddress() { // a link that was handed over proves nothing
			return ended
		}
		own, err := isOwnFreshSession(tx, l.UserID, sessionKey{"id", v.SessionID}, v.FreshFor, at)
		if err != nil {
			return err
		}
		if v.SessionID != "" && !own { // the page has said that nothing is deleted
			return ErrRevoked
		}
		evicted, err = proveAddress(tx, AddressProof{UserID: l.UserID, Email: l.Address, By: ByMail, From: v.From}, own, at)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
			return ended
		}
		if err != nil || !own {
			return err
		}
		_, err = noteAddressProved(tx, l.UserID, v.SessionID, l.Address, at)
		return err
	})
	return evicted && err == nil, err
}
