package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// SignUpRequest is the input of DB.RequestSignUp.
type SignUpRequest struct {
	Email    string  // as entered
	ClientID string  // the application that the mail names; "": none
	Limits   []Limit // reserved for every request
	Detail   string  // of the link, see LinkDraft
	From     Origin  // the person who asks; this may be a stranger
}

// RequestSignUp writes a mail with a link that creates an account with the address. If there is
// an account, also a disabled one, its owner gets a mail that says so, in the form in which the
// address is stored. If another user can still restore the address, the mail says that. No account
// is created yet. It records the event signup.requested.
//
// It returns the ID of the user who has the account, for the log only; "": there is none.
//
// All addresses take one transaction with the same statements, cause one mail and have the same
// result, so that the caller cannot learn whether an account exists.
//
// foreign.ErrEmail: CanonicalEmail refuses the address. *ThrottledError: a limit is exceeded.
func (db *DB) RequestSignUp(ctx context.Context, r SignUpRequest, at time.Time) (userID string, err error) {
	canonical, err := CanonicalEmail(r.Email)
	if err == nil {
		err = checkLimitKeys(r.Limits)
	}
	if err != nil {
		return "", fmt.Errorf("request sign-up: %w", err)
	}
	err = db.write(ctx, "request sign-up", func(tx *gorm.DB) error {
		if _, err := countAttempts(tx, r.Limits, at); err != nil {
			return err
		}
		from := r.From.clean()
		mail := MailDraft{Kind: MailHasAccount, ClientID: r.ClientID, Facts: MailFacts{At: At(at), Address: from.Address, Agent: from.Agent}}
		holder, err := holderOf(tx, "", canonical, at)
		if err != nil {
			return err
		}
		// Without the decoy, the answer for a known address would come a little sooner.
		link, err := issueLink(tx, LinkDraft{Kind: LinkSignUp, Holder: canonical, Address: r.Email, Detail: r.Detail, Decoy: holder != addressHolder{}}, at)
		if err != nil {
			return err
		}
		switch userID = holder.UserID; {
		case userID != "":
			mail.UserID, mail.Recipient = userID, holder.Email
		case holder.Reserved:
			mail.Kind, mail.Recipient = MailAddressReserved, holder.Email
		default:
			mail.Kind, mail.Recipient, mail.Link = MailSignUp, link.Address, link.Ref()
		}
		if err := queueMail(tx, mail, at); err != nil {
			return err
		}
		return record(tx, Event{Type: SignUpRequested, Outcome: Succeeded, Reason: string(mail.Kind), UserID: userID, From: r.From}, at)
	})
	if err != nil {
		return "", err
	}
	return userID, nil
}
