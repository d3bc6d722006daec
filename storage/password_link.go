package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// The kinds of mails about the links of operators. They have no link.
const (
	MailPasswordLink MailKind = "password_link_made" // an operator made a link with which the user sets a password
	MailPasskeyLink  MailKind = "passkey_link_made"  // an operator made a link with which the user adds a passkey
)

// PasswordLink is the input of DB.IssuePasswordLink.
type PasswordLink struct {
	UserID   string
	Reason   string         // a stable code for the event
	Unproven UnprovenPolicy // holds when the link is used, because it does not verify the address
	Support
}

// IssuePasswordLink makes a one-time link with which a user sets a password, and returns it for an
// operator, who hands it over. It is not mailed and proves no address. It replaces the older link
// of this kind, but not a mailed one: otherwise a stranger could make it invalid by asking for a
// mail. The user gets a mail without the link. It records the event password.reset_requested.
//
// ErrNotFound: the user is unknown. ErrRevoked: the user is disabled. ErrNoAddress: the user has no email address, so
// could not sign in with a password. *UnprovenError: the address is not verified, and more than a
// password is attached to the account. ErrLinkAndReset, ErrNoNotice, the error of a check.
func (db *DB) IssuePasswordLink(ctx context.Context, p PasswordLink, by By) (l MailLink, err error) {
	if err := refuseImpossible(p.UserID); err != nil {
		return MailLink{}, fmt.Errorf("issue password link: %w", err)
	}
	policy, known := policyNames[p.Unproven]
	if !known {
		return MailLink{}, fmt.Errorf("issue password link: unknown policy %d", p.Unproven)
	}
	err = db.write(ctx, "issue password link", func(tx *gorm.DB) error {
		u, err := db.lockUser(tx, p.UserID)
		if err != nil {
			return err
		}
		if err := db.checkLink(tx, p.Support, u, by.At); err != nil {
			return err
		}
		if u.EmailCanonical == "" {
			return ErrNoAddress
		}
		if p.Unproven == StopIfAttached {
			if _, err := evictBeforePassword(tx, u, p.Unproven, by); err != nil {
				return err
			}
		}
		l, err = issueLink(tx, LinkDraft{Kind: LinkReset, Holder: u.ID + printedLinks, UserID: u.ID, Address: u.Email, Detail: policy}, by.At)
		if err != nil {
			return err
		}
		l.Printed = true
		if err := db.notify(tx, MailDraft{Kind: MailPasswordLink, UserID: u.ID}, by); err != nil {
			return err
		}
		return record(tx, Event{Type: PasswordResetRequested, Outcome: Succeeded, Reason: p.Reason, UserID: u.ID, From: by.From, Detail: p.detail()}, by.At)
	})
	if err != nil {
		return MailLink{}, err
	}
	return l, nil
}

// printedLinks ends the holder of links that operators hand over.
const printedLinks = " by operator"

// policyNames are the forms of the policies in the rows of links.
var policyNames = map[UnprovenPolicy]string{StopIfAttached: "", EvictAttached: "evict", KeepAttached: "keep"}

// Evicts reports whether the use of a LinkReset or LinkPasskey of this user deletes everything that was
// set up before, see ResetPasswordByLink and IssuePasskeyLink.
func (l MailLink) Evicts(u User) bool {
	return !u.EmailVerified && (!l.Printed || l.Detail == policyNames[EvictAttached])
}

// applyPasswordLink applies the policy of IssuePasswordLink when its link is used. ErrConflict: the
// user has another address now. *UnprovenError.
func applyPasswordLink(tx *gorm.DB, l MailLink, by By) error {
	var u User
	if err := tx.Where("id = ?", l.UserID).Take(&u).Error; err != nil {
		return err
	}
	if canonical, err := CanonicalEmail(l.Address); err != nil || canonical != u.EmailCanonical {
		return ErrConflict
	}
	_, err := evictBeforePassword(tx, u, policyOf(l), by)
	return err
}

// policyOf returns the policy in the row of a link that an operator handed over.
func policyOf(l MailLink) UnprovenPolicy {
	for p, name := range policyNames {
		if name == l.Detail {
			return p
		}
	}
	return StopIfAttached
}
