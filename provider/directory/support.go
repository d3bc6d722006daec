package directory

import (
	"context"
	"errors"

	"signet/storage"
)

// The uses of one-time links.
const (
	LinkForPassword = "password" // the user sets a password
	LinkForPasskey  = "passkey"  // the user adds a passkey
)

// LinkUses lists the uses of one-time links.
func LinkUses() []string { return []string{LinkForPassword, LinkForPasskey} }

// ErrNoPasskeys: passkeys cannot be used at the issuer.
var ErrNoPasskeys = errors.New("passkeys cannot be used at this issuer: browsers accept them only at a host name with HTTPS, or at localhost")

// UserLink is the input of Directory.Link.
type UserLink struct {
	UserID   string
	For      string                 // one of LinkUses
	Reason   string                 // a stable code for the event
	Unproven storage.UnprovenPolicy // for an account without a verified address, when the link is used
	storage.Support
}

// Link makes a one-time link with which a user sets a password or adds a passkey. It is for an operator,
// who hands it over; link.Links makes its URL. It proves no address. The user gets a mail without the
// link. Event password.reset_requested or passkey.requested.
//
// Errors: *FieldError: the reason is missing or malformed. ErrNoPasskeys. storage.ErrNotFound.
// storage.ErrRevoked: the user is disabled. storage.ErrNoAddress: a password needs an address.
// *storage.UnprovenError, storage.ErrLinkAndReset, storage.ErrNoNotice, the error of a check.
// *ReservedFieldError: only an operator who may do everything decides about an unproven account.
func (d *Directory) Link(ctx context.Context, l UserLink, from storage.Origin) (storage.MailLink, error) {
	if err := checkSupport(l.Support); err != nil {
		return storage.MailLink{}, err
	}
	if l.Alone && l.Unproven != storage.StopIfAttached {
		return storage.MailLink{}, &ReservedFieldError{"unproven"}
	}
	if l.For == LinkForPassword {
		return d.db.IssuePasswordLink(ctx, storage.PasswordLink{UserID: l.UserID, Reason: l.Reason, Unproven: l.Unproven, Support: l.Support}, d.by(from))
	}
	if !d.passkeys {
		return storage.MailLink{}, ErrNoPasskeys
	}
	return d.db.IssuePasskeyLink(ctx, storage.PasskeyLink{UserID: l.UserID, Reason: l.Reason, Unproven: l.Unproven, Support: l.Support}, d.by(from))
}

// ResetFactors removes all factors of a user except the password, and ends all sessions and tokens of
// the user. It returns the removed factors. The user gets a mail. Events factor.reset and
// session.ended_all, none if there were no factors.
//
// Errors: *FieldError: the reason is missing or malformed. storage.ErrNotFound,
// storage.ErrLinkAndReset, storage.ErrNoNotice, the error of a check.
func (d *Directory) ResetFactors(ctx context.Context, r storage.FactorReset, from storage.Origin) ([]storage.Factor, error) {
	if err := checkSupport(r.Support); err != nil {
		return nil, err
	}
	return d.db.ResetFactors(ctx, r, d.by(from))
}

// checkSupport checks the reason. Operators with limits must give one.
func checkSupport(s storage.Support) error {
	if s.Note == "" && !s.Alone {
		return nil
	}
	return CheckReason(s.Note)
}
