package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ForgottenPassword is the input of DB.RequestPasswordReset.
type ForgottenPassword struct {
	Email      string   // as entered
	Limits     []Limit  // reserved for every request, also if no mail is sent
	Connectors []string // the connectors with which users can sign in
	Detail     string   // of the link, see LinkDraft
	From       Origin   // the person who asks; this may be a stranger
}

// RequestPasswordReset writes a mail with a link for a new password to the user of an address, in
// the form in which the address is stored. No mail is written if there is no such user or the
// user is disabled. A user who has a verified address, no password and an identity of one of the
// connectors gets a mail without a link, because the identity is the way to sign in. It records
// the event password.reset_requested.
//
// It returns the ID of the user, for the log only; "": no user gets a mail.
//
// All addresses take one transaction with the same statements and have the same result, so that
// the caller cannot learn whether an account exists.
//
// foreign.ErrEmail: CanonicalEmail refuses the address. *ThrottledError: a limit is exceeded.
func (db *DB) RequestPasswordReset(ctx context.Context, f ForgottenPassword, at time.Time) (userID string, err error) {
	canonical, err := CanonicalEmail(f.Email)
	if err == nil {
		err = checkLimitKeys(f.Limits)
	}
	if err != nil {
		return "", fmt.Errorf("request password reset: %w", err)
	}
	err = db.write(ctx, "request password reset", func(tx *gorm.DB) error {
		userID = ""
		if _, err := countAttempts(tx, f.Limits, at); err != nil {
			return err
		}
		var found []User
		err := tx.Where("email_canonical = ? AND email_canonical <> '' AND "+isUser, canonical).Limit(1).Find(&found).Error
		if err != nil {
			return err
		}
		found = append(found, User{}) // nobody has the address
		userID, err = mailNewPassword(tx, found[0], f, at)
		return err
	})
	if err != nil {
		return "", err
	}
	return userID, nil
}

// noMail is the reason of the event password.reset_requested if no user gets a mail.
const noMail = "no_mail"

// mailNewPassword writes the mail of RequestPasswordReset to a user. The zero User is nobody. It
// returns the ID of the user who gets the mail.
func mailNewPassword(tx *gorm.DB, u User, f ForgottenPassword, at time.Time) (userID string, err error) {
	from := f.From.clean()
	mail := MailDraft{Kind: MailPasswordReset, Recipient: u.Email, UserID: u.ID, Facts: MailFacts{At: At(at), Address: from.Address, Agent: from.Agent}}
	connector, err := onlyConnector(tx, u, f.Connectors)
	if err != nil {
		return "", err
	}
	// A decoy is written instead of a link, and queueMailIf runs without a mail: otherwise, the answer
	// would come a little sooner.
	reason, link := string(MailPasswordReset), LinkDraft{Kind: LinkReset, Holder: u.ID, UserID: u.ID, Address: u.Email, Detail: f.Detail}
	switch {
	case u.ID == "" || !u.Enabled():
		reason, link.Decoy, link.UserID = noMail, true, NewID(UserPrefix)
	case connector != "":
		mail.Kind, mail.Facts.Connector = MailNoPassword, connector
		reason, link.Decoy = string(mail.Kind), true
	}
	issued, err := issueLink(tx, link, at)
	if errors.Is(err, ErrNotFound) { // another transaction has just disabled the user
		reason, err = noMail, nil
	}
	if err != nil {
		return "", err
	}
	if !link.Decoy {
		mail.Link = issued.Ref()
	}
	if err := queueMailIf(tx, mail, reason != noMail, at); err != nil {
		return "", err
	}
	if reason != noMail {
		userID = u.ID
	}
	return userID, record(tx, Event{Type: PasswordResetRequested, Outcome: Succeeded, Reason: reason, UserID: u.ID, From: f.From}, at)
}

// onlyConnector returns the connector of the user's oldest usable identity, if the user has a
// verified address and no password. Otherwise it returns "". The identities of an unverified
// address do not count: another person may have connected them.
func onlyConnector(tx *gorm.DB, u User, connectors []string) (string, error) {
	if len(connectors) == 0 {
		return "", nil
	}
	var found []string
	err := tx.Raw(`SELECT i.connector FROM identities i WHERE i.user_id = ? AND i.connector IN ?
		AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.user_id = i.user_id AND c.kind = 'password')
		ORDER BY i.created_at, i.connector LIMIT 1`, u.ID, connectors).Scan(&found).Error
	if err != nil || len(found) == 0 || !u.EmailVerified {
		return "", err
	}
	return found[0], nil
}

// LinkedReset is the input of DB.ResetPasswordByLink.
type LinkedReset struct {
	Link       LinkRef // of kind LinkReset
	UserID     string  // of the row of the link
	Hash       string
	Connectors []string // the connectors through which people can sign in now; a mailed link disregards identities
	From       Origin
}

// ResetPasswordByLink spends a link and sets the password hash of its user, also if the user had no
// password. It ends all sessions and grants, including offline grants, removes the unproven passkeys
// unless an operator chose KeepAttached, and starts no session. A
// link that was mailed to the user's address proves the address. If that is the first proof,
// everything that was set up before is deleted, see ProveAddress. A link that an operator handed
// over proves nothing; then the policy of IssuePasswordLink holds. A user who had only proven passkeys
// is asked for one, or for a recovery code, after the new password: see SetAlwaysAsk. It records the
// events password.changed and session.ended_all with the reason reset_by_mail or reset_by_operator,
// factor.always_ask_changed, and those of ProveAddress or user.evicted.
//
// *DeadLinkError: the link cannot be used, or is for another user or another address than the
// user now has, or the policy refuses it. Nothing is changed.
func (db *DB) ResetPasswordByLink(ctx context.Context, r LinkedReset, at time.Time) error {
	if err := refuseImpossible(r.UserID); err != nil {
		return fmt.Errorf("reset password by link: %w", err)
	}
	if r.Hash == "" {
		return errors.New("reset password by link: the hash is empty")
	}
	ended := &DeadLinkError{r.Link.Kind, "link_ended"}
	if r.Link.Kind != LinkReset {
		return ended
	}
	return db.write(ctx, "reset password by link", func(tx *gorm.DB) error {
		by := By{From: r.From, At: at}
		if err := db.lockRow(tx, userRow, r.UserID, forUpdate); err != nil {
			return err
		}
		l, err := spendLink(tx, r.Link, at)
		if err != nil {
			return err
		}
		if l.UserID != r.UserID {
			return ended
		}
		reason := "reset_by_mail"
		if l.Printed {
			reason, err = "reset_by_operator", applyPasswordLink(tx, l, by)
		} else {
			_, err = proveAddress(tx, AddressProof{UserID: l.UserID, Email: l.Address, By: ByMail, From: r.From}, false, at)
		}
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnproven) {
			return ended
		}
		if err != nil {
			return err
		}
		how := replacement{UserID: l.UserID, Hash: r.Hash, Reason: reason, KeepPasskeys: l.Printed && l.Detail == policyNames[KeepAttached]}
		if l.Printed { // users with a usable identity get no mailed link
			how.Connectors = r.Connectors
		}
		return db.replacePassword(tx, how, by)
	})
}
