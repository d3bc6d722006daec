package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// AddressProofLife is the time after FactAddressProved in which the user can add the first factor.
const AddressProofLife = 30 * time.Minute

// ErrAddressProofDue: before the first factor, the user must open a link that was mailed to the address
// of the account, in the same session.
var ErrAddressProofDue = engine.NewVerdict("the first factor needs a mailed link first")

// AddressProvedAt returns when the user last proved the address of the account in this session, by a
// mailed link; 0: never.
func (s Session) AddressProvedAt() (at Millis) {
	for _, f := range s.Facts {
		if f.Kind == FactAddressProved {
			at = max(at, f.At)
		}
	}
	return at
}

// EnrolmentAddress is the address that gets the mailed link before the first factor.
type EnrolmentAddress struct {
	Email string // "": the user has no address

	// FormerUntil: the address was changed, and until then the change can be undone. The link goes to
	// the former address: a person who stole the password could have changed the address. 0: it goes to
	// the address of the account.
	FormerUntil Millis
}

// enrolmentAddress are the columns of EnrolmentAddress, and joinEnrolmentAddress is the join for them
// with users u; its parameter is the present time. After several changes, the first one that can be
// undone decides: the later ones may be those of a thief.
const (
	enrolmentAddress     = `COALESCE(a.email, u.email) AS email, COALESCE(a.expires_at, 0) AS former_until`
	joinEnrolmentAddress = `LEFT JOIN address_changes a ON a.id = (SELECT c.id FROM address_changes c WHERE c.user_id = u.id AND c.expires_at > ? ORDER BY c.changed_at LIMIT 1)`
)

// EnrolmentAddressOf reads the address that gets the link of RequestEnrolment. ErrNotFound: there is no
// such user.
func (db *DB) EnrolmentAddressOf(ctx context.Context, userID string, at time.Time) (EnrolmentAddress, error) {
	if err := refuseImpossible(userID); err != nil {
		return EnrolmentAddress{}, fmt.Errorf("read enrolment address: %w", err)
	}
	var found []EnrolmentAddress
	err := db.read(ctx, "read enrolment address", func(q *gorm.DB) error {
		err := q.Raw(`SELECT `+enrolmentAddress+` FROM users u `+joinEnrolmentAddress+` WHERE u.id = ?`, At(at), userID).Scan(&found).Error
		if err == nil && len(found) != 1 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return EnrolmentAddress{}, err
	}
	return found[0], nil
}

// ProvesPasskeys reports whether a passkey that is made in this session belongs to the owner of the
// account: the session has two factors, or the user has no factor yet and has proved the address lately.
func (s Session) ProvesPasskeys(hasFactor bool, at time.Time) bool {
	return ACRReaches(s.ACR, ACRTwoFactors) || !hasFactor && within(s.AddressProvedAt(), AddressProofLife, at)
}

// ProvesByAddress reports whether the mailed link can be the fresh proof that the first factor needs: the
// session has no time of a sign-in, and the user proved the address in it at most this long ago.
func (s Session) ProvesByAddress(freshFor time.Duration, at time.Time) bool {
	return s.AuthTime == 0 && within(s.AddressProvedAt(), freshFor, at)
}

// enrolling describes a user who adds a factor, and the session.
type enrolling struct {
	EnrolmentAddress
	Verified  bool   // the address of the account is; true if there is none
	HasFactor bool   // a second factor or a proven passkey
	HasWay    bool   // a password or a passkey, with which the user can sign in anew
	ACR       string // of the session
	AuthTime  Millis // of the session; 0: no proof with a known time
	Facts     []Fact `gorm:"serializer:signet_json"`
}

// readEnrolling reads a user and a session of the user. ErrRevoked: there is no such session.
func readEnrolling(tx *gorm.DB, userID, sessionID string, at time.Time) (enrolling, error) {
	var found []enrolling
	err := tx.Raw(`SELECT `+enrolmentAddress+`, u.email_verified OR u.email_canonical = '' AS verified, s.facts, s.acr, s.auth_time, `+hasOwnWay+` AS has_way, (`+asksSecondFactor+` OR `+hasProvenPasskey+`) AS has_factor
		FROM sessions s JOIN users u ON u.id = s.user_id `+joinEnrolmentAddress+` WHERE s.id = ? AND s.user_id = ?`, At(at), sessionID, userID).Scan(&found).Error
	if err == nil && len(found) != 1 {
		err = ErrRevoked
	}
	if err != nil {
		return enrolling{}, err
	}
	return found[0], nil
}

// hasOwnWay is the condition that a user u can sign in anew without an upstream.
var hasOwnWay = `EXISTS (SELECT 1 FROM credentials f WHERE f.user_id = u.id AND (f.kind = 'password' OR f.kind = 'webauthn' AND ` + ofOwnHost("f") + `))`

// hasProved reports whether the user proved the address in the session at most this long ago.
func (e enrolling) hasProved(life time.Duration, at time.Time) bool {
	return within(Session{Facts: e.Facts}.AddressProvedAt(), life, at)
}

// isProofDue reports whether the mailed link comes before a factor.
func (e enrolling) isProofDue(freshFor time.Duration, at time.Time) bool {
	if e.Email == "" || e.HasFactor {
		return false
	}
	return !e.hasProved(AddressProofLife, at) || e.provesByAddress() && !e.hasProved(freshFor, at)
}

// provesByAddress reports whether the mailed link is also the fresh proof that a first factor needs. The
// user came through an upstream that never authenticates anew, and has no other way to give one.
func (e enrolling) provesByAddress() bool { return e.AuthTime == 0 && !e.HasFactor && !e.HasWay }

// provesPasskeys reports whether a passkey in this session belongs to the owner of the account: the
// session has two factors, or there is no factor yet and the user has proved the address.
func (e enrolling) provesPasskeys(at time.Time) bool {
	return Session{ACR: e.ACR, Facts: e.Facts}.ProvesPasskeys(e.HasFactor, at)
}

// requireOwner refuses a new factor that a stranger might add. Every way to add a factor passes here.
// An instance without mails refuses nothing, because its users cannot prove their address. Nor does it
// ask users who have no address.
//
// ErrUnproven: the address is not verified. Its first proof deletes all factors (see ProveAddress), so a
// person who reads the mails of the user could get into the account without its second factor.
//
// ErrAddressProofDue: it would be the first factor, and the user has not proved the address in this
// session lately (see also checkFreshToAdd). Otherwise a person who stole the password could add a factor of their own, and the
// owner would be asked for it.
func (db *DB) requireOwner(tx *gorm.DB, c FactorChange, at time.Time) error {
	if !db.mails {
		return nil
	}
	e, err := readEnrolling(tx, c.UserID, c.SessionID, at)
	switch {
	case err != nil:
		return err
	case !e.Verified:
		return ErrUnproven
	case e.isProofDue(c.FreshFor, at):
		return ErrAddressProofDue
	}
	return nil
}

// checkFreshToAdd checks the session in which a user adds a factor: as checkFreshEnough, except that the
// mailed link is the fresh proof for the first factor of a user who cannot give another one.
//
// ErrNotFresh. ErrAddressProofDue: the link was opened longer ago than FreshFor, or never.
func (db *DB) checkFreshToAdd(tx *gorm.DB, c FactorChange, at time.Time) error {
	err := checkFreshEnough(tx, c, at)
	if !errors.Is(err, ErrNotFresh) || !db.mails {
		return err
	}
	e, wrong := readEnrolling(tx, c.UserID, c.SessionID, at)
	switch {
	case wrong != nil:
		return wrong
	case !e.provesByAddress():
		return err
	case e.hasProved(c.FreshFor, at):
		return nil
	case e.isProofDue(c.FreshFor, at):
		return ErrAddressProofDue
	}
	return err
}

// IsAddressProofDue reports whether ErrAddressProofDue would refuse a factor of this user now, if this
// instance sends mails. freshFor is FactorChange.FreshFor. The caller shows the page that mails the link.
func (db *DB) IsAddressProofDue(ctx context.Context, userID, sessionID string, freshFor time.Duration, at time.Time) (due bool, err error) {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return false, fmt.Errorf("read enrolment: %w", err)
	}
	if !db.mails {
		return false, nil
	}
	err = db.read(ctx, "read enrolment", func(q *gorm.DB) error {
		e, err := readEnrolling(q, userID, sessionID, at)
		due = e.isProofDue(freshFor, at)
		if errors.Is(err, ErrRevoked) { // the change itself says so
			due, err = false, nil
		}
		return err
	})
	return due, err
}

// EnrolmentRequest is the input of DB.RequestEnrolment.
type EnrolmentRequest struct {
	UserID    string
	SessionID string  // the session in which the user asks
	Detail    string  // what the page of the link needs, in a form of its own
	Limits    []Limit // reserved for every request
	From      Origin
}

// RequestEnrolment mails a link to a user who wants to add the first factor, see EnrolmentAddress. See
// ConfirmEnrolment for the link. It records the event enrolment.requested.
//
// ErrConflict: the user has no verified address, or has a factor already. ErrRevoked: the session has
// ended or is another user's. *ThrottledError: a limit is exceeded.
func (db *DB) RequestEnrolment(ctx context.Context, r EnrolmentRequest, at time.Time) error {
	if err := errors.Join(refuseImpossible(r.UserID, r.SessionID), checkLimitKeys(r.Limits)); err != nil {
		return fmt.Errorf("request enrolment: %w", err)
	}
	return db.write(ctx, "request enrolment", func(tx *gorm.DB) error {
		// The limits come first, as in every request for a mail, so that two of them cannot deadlock.
		if _, err := countAttempts(tx, r.Limits, at); err != nil {
			return err
		}
		u, err := db.lockSignedIn(tx, r.UserID, r.SessionID, at)
		if err != nil {
			return err
		}
		e, err := readEnrolling(tx, u.ID, r.SessionID, at)
		if err != nil {
			return err
		}
		if e.Email == "" || !e.Verified || e.HasFactor {
			return ErrConflict
		}
		link, err := issueLink(tx, LinkDraft{Kind: LinkEnrol, Holder: u.ID, UserID: u.ID, Address: e.Email, Detail: r.Detail}, at)
		if err != nil {
			return err
		}
		err = queueMail(tx, MailDraft{Kind: MailEnrolment, Recipient: e.Email, UserID: u.ID, Link: link.Ref(), Facts: factsOf(u.ID, By{From: r.From, At: at})}, at)
		if err != nil {
			return err
		}
		return record(tx, Event{Type: EnrolmentRequested, Outcome: Succeeded, UserID: u.ID, SessionID: r.SessionID, From: r.From}, at)
	})
}

// EnrolmentConfirmation is the input of DB.ConfirmEnrolment.
type EnrolmentConfirmation struct {
	Link      LinkRef // of kind LinkEnrol
	UserID    string  // of the row of the link
	SessionID string  // the user's own session in the browser that opened the link
	From      Origin
}

// ConfirmEnrolment spends a mailed link and notes in the session that the user has proved the address.
// In that session the user can add the first factor, within AddressProofLife. It records the event
// enrolment.confirmed.
//
// *DeadLinkError: the link cannot be used, was not mailed, or was mailed to another address than
// EnrolmentAddress. ErrRevoked: the session has ended or is another user's.
func (db *DB) ConfirmEnrolment(ctx context.Context, c EnrolmentConfirmation, at time.Time) error {
	if err := refuseImpossible(c.UserID, c.SessionID); err != nil {
		return fmt.Errorf("confirm enrolment: %w", err)
	}
	ended := &DeadLinkError{c.Link.Kind, "link_ended"}
	if c.Link.Kind != LinkEnrol {
		return ended
	}
	return db.write(ctx, "confirm enrolment", func(tx *gorm.DB) error {
		u, err := db.lockSignedIn(tx, c.UserID, c.SessionID, at)
		if err != nil {
			return err
		}
		l, err := spendLink(tx, c.Link, at)
		if err != nil {
			return err
		}
		if l.UserID != u.ID || l.Printed || !u.EmailVerified {
			return ended
		}
		noted, err := noteAddressProved(tx, u.ID, c.SessionID, l.Address, at)
		if err != nil {
			return err
		}
		if !noted {
			return ended
		}
		return record(tx, Event{Type: EnrolmentConfirmed, Outcome: Succeeded, UserID: u.ID, SessionID: c.SessionID, From: c.From}, at)
	})
}

// noteAddressProved notes in a session that its user has proved the address by a mailed link. It does
// nothing, and returns false, if the link was mailed to another address than EnrolmentAddress.
// ErrRevoked: the session has ended or is another user's.
func noteAddressProved(tx *gorm.DB, userID, sessionID, mailedTo string, at time.Time) (bool, error) {
	if _, err := touchSession(tx, userID, sessionID, "", at); err != nil {
		return false, err
	}
	e, err := readEnrolling(tx, userID, sessionID, at)
	if err != nil {
		return false, err
	}
	want, err := CanonicalEmail(e.Email)
	if err != nil {
		return false, nil // no address
	}
	if got, err := CanonicalEmail(mailedTo); err != nil || got != want {
		return false, nil
	}
	return true, addFact(tx, sessionID, Fact{Kind: FactAddressProved, At: At(at)})
}
