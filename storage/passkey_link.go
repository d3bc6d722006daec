package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// PasskeyLink is the input of DB.IssuePasskeyLink.
type PasskeyLink struct {
	UserID   string
	Reason   string         // a stable code for the event
	Unproven UnprovenPolicy // holds when the link is used, because it does not verify the address
	Support
}

// IssuePasskeyLink makes a one-time link with which a user adds a passkey without signing in, and
// returns it for an operator, who hands it over. It is not mailed and proves no address. It replaces
// the older link of this kind. The user gets a mail without the link. It records the event
// passkey.requested.
//
// ErrNotFound: the user is unknown. ErrRevoked: the user is disabled. *UnprovenError: the address is not verified, and
// something is attached to the account. ErrLinkAndReset, ErrNoNotice, the error of a check.
func (db *DB) IssuePasskeyLink(ctx context.Context, p PasskeyLink, by By) (l MailLink, err error) {
	if err := refuseImpossible(p.UserID); err != nil {
		return MailLink{}, fmt.Errorf("issue passkey link: %w", err)
	}
	policy, known := policyNames[p.Unproven]
	if !known {
		return MailLink{}, fmt.Errorf("issue passkey link: unknown policy %d", p.Unproven)
	}
	err = db.write(ctx, "issue passkey link", func(tx *gorm.DB) error {
		u, err := db.lockUser(tx, p.UserID)
		if err != nil {
			return err
		}
		if err := db.checkLink(tx, p.Support, u, by.At); err != nil {
			return err
		}
		if p.Unproven == StopIfAttached {
			if err := evictBeforePasskey(tx, u, p.Unproven, by); err != nil {
				return err
			}
		}
		l, err = issueLink(tx, LinkDraft{Kind: LinkPasskey, Holder: u.ID + printedLinks, UserID: u.ID, Address: u.Email, Detail: policy}, by.At)
		if err != nil {
			return err
		}
		l.Printed = true
		if err := db.notify(tx, MailDraft{Kind: MailPasskeyLink, UserID: u.ID}, by); err != nil {
			return err
		}
		return record(tx, Event{Type: PasskeyRequested, Outcome: Succeeded, Reason: p.Reason, UserID: u.ID, From: by.From, Detail: p.detail()}, by.At)
	})
	if err != nil {
		return MailLink{}, err
	}
	return l, nil
}

// LinkedPasskey is the input of DB.AddPasskeyByLink.
type LinkedPasskey struct {
	Link        LinkRef    // of kind LinkPasskey
	UserID      string     // of the row of the link
	Passkey     Passkey    // Name, Handle, RPID, PublicKey, Counter and Detail
	ChallengeID string     // can be used once
	Until       Millis     // how long the use of ChallengeID must be remembered
	Factor      *FactorUse // nil: the person gave none
	From        Origin
}

// AddPasskeyByLink spends a link of an operator and adds a passkey to the account of its user, who is
// not signed in. It ends all sessions and grants, including offline grants, and starts no session. A
// user who can be asked for a second factor must give one, see usesRecoveryCodes. It is used up in the
// same transaction. It records the events passkey.added and session.ended_all with the reason
// by_operator, user.evicted if the policy of IssuePasskeyLink says so, and recovery_codes.used.
//
// The passkey is proven if a second factor was given. It is proven, too, if the account has no
// credential at all, not even a password, and no address that is unproven: then the passkey is the
// first factor of the account, and the operator vouches for the person. The link alone proves no
// more: a password stands beside the passkey otherwise, and the person can confirm the passkey later.
//
// *DeadLinkError: the link cannot be used, or is for another user or another address than the user now
// has, or the policy refuses it. *FactorDueError: a second factor is missing, or was used
// before. ErrReplayed: the challenge was used before. ErrConflict, ErrTooManyPasskeys, ErrOtherRPID: see
// AddPasskey. Nothing is changed.
func (db *DB) AddPasskeyByLink(ctx context.Context, a LinkedPasskey, at time.Time) error {
	p := a.Passkey
	p.UserID, p.Kind = a.UserID, FactorPasskey
	if err := refuseImpossible(a.UserID, p.Handle, p.RPID, a.ChallengeID); err != nil {
		return fmt.Errorf("add passkey by link: %w", err)
	}
	if len(p.PublicKey) == 0 || p.RPID == "" {
		return errors.New("add passkey by link: the public key or the RP ID is empty")
	}
	ended := &DeadLinkError{a.Link.Kind, "link_ended"}
	if a.Link.Kind != LinkPasskey {
		return ended
	}
	return db.write(ctx, "add passkey by link", func(tx *gorm.DB) error {
		by := By{From: a.From, At: at}
		if err := db.lockRow(tx, userRow, a.UserID, forUpdate); err != nil {
			return err
		}
		l, err := spendLink(tx, a.Link, at)
		if err != nil {
			return err
		}
		if l.UserID != a.UserID {
			return ended
		}
		u, err := applyPasskeyLink(tx, l, by)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrUnproven) {
			return ended
		}
		if err != nil {
			return err
		}
		if err := spendChallenge(tx, a.ChallengeID, a.Until); err != nil {
			return err
		}
		proven, err := db.provesLinkedPasskey(tx, u, a, at)
		if err != nil {
			return err
		}
		if proven {
			p.ProvenAt = At(at)
		}
		if err := insertPasskey(tx, p, at); err != nil {
			return err
		}
		if err := endAllOfUser(tx, u.ID, at); err != nil {
			return err
		}
		notice := MailDraft{Kind: MailPasskeyAdded, UserID: u.ID, Facts: MailFacts{Name: cleanText(p.Name, longestName)}}
		if err := db.notify(tx, notice, by); err != nil {
			return err
		}
		for _, e := range []EventType{PasskeyAdded, SessionsEnded} {
			if err := record(tx, Event{Type: e, Outcome: Succeeded, Reason: ByOperatorsLink, UserID: u.ID, From: a.From}, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// ByOperatorsLink is the reason of the events of a passkey that was added by a link of an operator.
const ByOperatorsLink = "by_operator"

// provesLinkedPasskey uses up the second factor of a person who adds a passkey by a link, and reports
// whether the passkey is proven.
func (db *DB) provesLinkedPasskey(tx *gorm.DB, u User, a LinkedPasskey, at time.Time) (bool, error) {
	due, err := hasStrongFactors(tx, u.ID)
	if err != nil {
		return false, err
	}
	if due {
		if a.Factor == nil {
			return false, &FactorDueError{UserID: u.ID, NotBefore: u.NotBefore}
		}
		use := SignIn{UserID: u.ID, From: a.From}
		recovery, err := a.Factor.use(tx, &use, at)
		if errors.Is(err, ErrReplayed) || errors.Is(err, ErrRevoked) {
			err = &FactorDueError{UserID: u.ID, NotBefore: u.NotBefore}
		}
		if err == nil && recovery {
			err = db.recordRecoveryCode(tx, use, "", at)
		}
		return err == nil, err
	}
	var credentials int64
	err = tx.Raw(`SELECT COUNT(*) FROM credentials WHERE user_id = ?`, u.ID).Scan(&credentials).Error
	return credentials == 0 && (u.EmailVerified || u.EmailCanonical == ""), err
}

// applyPasskeyLink applies the policy of IssuePasskeyLink when its link is used. ErrConflict: the user
// has another address now. *UnprovenError.
func applyPasskeyLink(tx *gorm.DB, l MailLink, by By) (User, error) {
	var u User
	if err := tx.Where("id = ?", l.UserID).Take(&u).Error; err != nil {
		return User{}, err
	}
	canonical := ""
	if l.Address != "" {
		var err error
		if canonical, err = CanonicalEmail(l.Address); err != nil {
			return User{}, ErrConflict
		}
	}
	if canonical != u.EmailCanonical {
		return User{}, ErrConflict
	}
	return u, evictBeforePasskey(tx, u, policyOf(l), by)
}

// evictBeforePasskey is evictIfUnproven for a passkey that is added by a link. The password counts,
// too, because it stays. *UnprovenError.
func evictBeforePasskey(tx *gorm.DB, u User, do UnprovenPolicy, by By) error {
	if u.EmailCanonical == "" {
		return nil
	}
	attached, err := attachedTo(tx, u.ID, by.At)
	if err == nil {
		_, err = evictIfUnproven(tx, u, attached, do, by)
	}
	return err
}
