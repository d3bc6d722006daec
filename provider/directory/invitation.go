package directory

import (
	"context"
	"errors"
	"time"

	"signet/storage"
)

// Invite makes an invitation: a one-time link with which the owner of an address creates an
// account. It returns the link for the operator, who may hand it over; link.Links makes its URL.
// With d.Mail it is mailed too. Name, roles and groups have the same rules as those of a user.
// Event invitation.created.
//
// Errors: *FieldError. storage.ErrConflict: the address has an account. storage.ErrNotFound: there
// is no such client. The error of a check.
func (d *Directory) Invite(ctx context.Context, i storage.InvitationDraft, from storage.Origin) (storage.MailLink, error) {
	if err := CheckInvitation(&i, d.now()); err != nil {
		return storage.MailLink{}, err
	}
	return d.db.Invite(ctx, i, d.by(from))
}

// CheckInvitation checks the account that an invitation will create, and changes each value to
// its canonical spelling. Errors: *FieldError.
func CheckInvitation(i *storage.InvitationDraft, at time.Time) error {
	u := storage.User{Email: i.Email, Name: i.Name, Roles: i.Roles, Groups: i.Groups}
	if err := CheckUser(&u, at); err != nil {
		return err
	}
	removeRepeatedUserValues(&u)
	i.Name, i.Roles, i.Groups = u.Name, u.Roles, u.Groups
	return nil
}

// RevokeInvitation makes the invitation of an address invalid. Event invitation.revoked. Errors:
// *FieldError. storage.ErrNotFound: there is none, or it was used. The error of a check.
func (d *Directory) RevokeInvitation(ctx context.Context, email string, from storage.Origin, checks ...storage.InvitationCheck) error {
	if err := CheckEmail(email); err != nil {
		return err
	}
	return d.db.RevokeInvitation(ctx, email, d.by(from), checks...)
}

// RevokeInvitationByID is RevokeInvitation for the id of an invitation.
func (d *Directory) RevokeInvitationByID(ctx context.Context, id string, from storage.Origin, checks ...storage.InvitationCheck) error {
	return d.db.RevokeInvitationByID(ctx, id, d.by(from), checks...)
}

// ErrInvitationRights: the invitation gives more than the operator may give.
var ErrInvitationRights = errors.New("the invitation of this address gives rights: only operators who may do everything replace or revoke it, or create the user")

// CheckInvitationEnd returns a check that refuses to end an invitation which an operator with these
// scopes could not make: to replace it, revoke it, or create its user. Errors: ErrInvitationRights.
func CheckInvitationEnd(scopes []string) storage.InvitationCheck {
	return func(i storage.Invitation) error {
		if i.MayComeFrom(scopes) {
			return nil
		}
		return ErrInvitationRights
	}
}
