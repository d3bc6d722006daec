package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signet/storage"
)

// FieldError: a field of a user breaks a rule.
type FieldError struct {
	Field string // name of the claim (OIDC Core, section 5.1)
	Cause error  // begins with the value
}

// Error names the field and the problem.
func (e *FieldError) Error() string { return e.Field + " " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Cause }

// CheckEmail checks the form of the email address of a user. Errors: *FieldError.
func CheckEmail(address string) error {
	if _, err := storage.CanonicalEmail(address); err != nil {
		return &FieldError{"email", fmt.Errorf("%q: %w", address, err)}
	}
	return nil
}

// MinPasswordLength returns the minimum number of characters of a new password.
func (d *Directory) MinPasswordLength() int { return d.passwords.MinLength() }

// PasswordMatches reports whether stored is a hash of password, see
// credential.Passwords.Matches.
func (d *Directory) PasswordMatches(stored, password string) bool {
	return d.passwords.Matches(stored, password)
}

// CreateUser creates a user. The password "" creates a user without a password. If u.ID is
// empty, an id is made. Event user.created.
//
// Errors: *FieldError. credential.ErrWeak, credential.ErrBusy: from hashing the password.
// storage.ErrConflict: the email address is taken. *storage.AddressReservedError: another
// user can still restore it. storage.ErrUsernameTaken: another user
// has this preferred_username, or one that looks like it. storage.ErrSubjectTaken. The error of a
// check of the open invitation of the address.
func (d *Directory) CreateUser(ctx context.Context, u storage.User, password string, from storage.Origin, checks ...storage.InvitationCheck) (storage.User, error) {
	if err := CheckUser(&u, d.now()); err != nil {
		return storage.User{}, err
	}
	removeRepeatedUserValues(&u)
	var hash string
	if password != "" {
		var err error
		if hash, err = d.passwords.Hash(ctx, password, u); err != nil {
			return storage.User{}, err
		}
	}
	return d.db.CreateUser(ctx, u, hash, d.by(from), checks...)
}

// CreateFirstAdmin creates the first administrator with a setup link. linkHash is the hash
// of the token in the link. Only one of several concurrent calls succeeds. Events
// user.created, setup.completed.
//
// Errors: those of CreateUser. storage.ErrNotFound: the link is used, expired or unknown.
func (d *Directory) CreateFirstAdmin(ctx context.Context, linkHash string, u storage.User, password string, from storage.Origin) (storage.User, error) {
	if err := CheckUser(&u, d.now()); err != nil {
		return storage.User{}, err
	}
	hash, err := d.passwords.Hash(ctx, password, u)
	if err != nil {
		return storage.User{}, err
	}
	return d.db.CompleteSetup(ctx, linkHash, u, hash, d.by(from))
}

// maxUserSubject is the longest subject in characters (OIDC Core, section 2).
const maxUserSubject = 255

// checkSubject checks the chosen subject of a new user, "" for none. The subjects that Signet
// makes itself begin with the prefix of users.
func checkSubject(subject string) error {
	switch {
	case len(subject) > maxUserSubject:
		return fmt.Errorf("it has more than %d characters", maxUserSubject)
	case strings.ContainsFunc(subject, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("use only printable ASCII characters, without spaces")
	case strings.HasPrefix(subject, storage.UserPrefix):
		return errors.New("it must not begin with " + storage.UserPrefix + ", as the ids of users do")
	}
	return nil
}

// CheckUser checks a user that is created at this time, and changes each value to its
// canonical spelling. Errors: *FieldError.
func CheckUser(u *storage.User, at time.Time) error {
	if err := CheckEmail(u.Email); err != nil {
		return err
	}
	if err := checkSubject(u.ChosenSubject); err != nil {
		return &FieldError{"subject", fmt.Errorf("%q: %w", shortened(u.ChosenSubject), err)}
	}
	if u.PhoneNumberVerified && u.PhoneNumber == "" {
		return &FieldError{"phone_number_verified", errors.New("needs a phone_number")}
	}
	verified := u.PhoneNumberVerified
	err := CheckUserChange(storage.User{}, u, at)
	u.PhoneNumberVerified = verified
	return err
}

// ReviseUser reads a user, changes it with r.Revise and stores it. If r.Revise returns an
// error, nothing is stored and the error is returned unchanged. A stored value that breaks
// a newer rule may stay. For a new or newly verified address see storage.DB.ReviseUser.
// Event user.updated.
//
// Errors: *FieldError. storage.ErrNoAddress, storage.ErrNoPhone: the address or the number to
// mark as verified is empty. storage.ErrConflict: the email address is taken.
// *storage.AddressReservedError: another user can still restore it.
// storage.ErrNotFound, storage.ErrUsernameTaken, *storage.UnprovenError.
func (d *Directory) ReviseUser(ctx context.Context, r storage.UserRevision) (storage.RevisedUser, error) {
	var refused error
	revise := r.Revise
	r.Revise = func(u *storage.User) error {
		before := *u
		if refused = revise(u); refused == nil && u.Email != before.Email {
			refused = CheckEmail(u.Email)
		}
		if refused == nil {
			removeRepeatedUserValues(u)
			refused = CheckUserChange(before, u, d.now())
		}
		return refused
	}
	revised, err := d.db.ReviseUser(ctx, r, d.now())
	if refused != nil {
		return storage.RevisedUser{}, refused
	}
	return revised, err
}

// CheckUserChange checks the fields of a user that differ from before, and changes each value
// to its canonical spelling. It does not check an empty email address. Errors: *FieldError.
func CheckUserChange(before storage.User, after *storage.User, at time.Time) error {
	if after.Email != before.Email && after.Email != "" {
		if err := CheckEmail(after.Email); err != nil {
			return err
		}
	}
	p := storage.ProfileOf(*after)
	if wrong := checkRevised(&p, storage.ProfileOf(before), at); len(wrong) > 0 {
		return wrong[0]
	}
	p.ApplyTo(after)
	if err := checkMemberships("roles", after.Roles, before.Roles); err != nil {
		return err
	}
	return checkMemberships("groups", after.Groups, before.Groups)
}

// PasswordReset is the input of Directory.ResetPassword.
type PasswordReset struct {
	User     storage.User
	Password string
	Reason   string // a stable code for the events
	// Unproven decides about the data attached to an account without a verified address.
	// Knowing a password does not verify an address.
	Unproven   storage.UnprovenPolicy
	Connectors []string // the connectors through which people can sign in now
}

// ResetPassword sets the password of a user and ends all sessions and tokens of the user in
// one transaction. It returns the data that was evicted. Events password.changed,
// session.ended_all and user.evicted.
//
// Errors: credential.ErrWeak, credential.ErrBusy, storage.ErrNotFound, *storage.UnprovenError.
func (d *Directory) ResetPassword(ctx context.Context, n PasswordReset, from storage.Origin) (storage.Attached, error) {
	hash, err := d.passwords.Hash(ctx, n.Password, n.User)
	if err != nil {
		return storage.Attached{}, err
	}
	return d.db.ResetPassword(ctx, storage.PasswordReset{
		UserID: n.User.ID, Hash: hash, Reason: n.Reason, Unproven: n.Unproven, Connectors: n.Connectors, From: from,
	}, d.now())
}

// ResetPasswordByLink sets the password of the user of a one-time link, which the caller has just
// opened, and spends the link. All sessions and tokens of the user end in the same transaction,
// and no session begins. A password that is refused spends nothing. Events: see
// storage.DB.ResetPasswordByLink. connectors are those through which people can sign in now.
//
// Errors: credential.ErrWeak, credential.ErrBusy, *storage.DeadLinkError.
func (d *Directory) ResetPasswordByLink(ctx context.Context, l storage.MailLink, password string, connectors []string, from storage.Origin) error {
	u, err := d.db.User(ctx, l.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return &storage.DeadLinkError{Kind: l.Kind, Code: "link_ended"}
	}
	if err != nil {
		return err
	}
	hash, err := d.passwords.Hash(ctx, password, u)
	if err != nil {
		return err
	}
	return d.db.ResetPasswordByLink(ctx, storage.LinkedReset{Link: l.Ref(), UserID: u.ID, Hash: hash, Connectors: connectors, From: from}, d.now())
}

// CreateUserByLink creates the user of a mailed link, which the caller has just opened, and spends
// the link. The address of u is replaced by that of the link. A password that is refused spends
// nothing. Event user.created.
//
// Errors: *FieldError, credential.ErrWeak, credential.ErrBusy, *storage.DeadLinkError.
func (d *Directory) CreateUserByLink(ctx context.Context, l storage.MailLink, u storage.User, password string, from storage.Origin) (storage.User, error) {
	u.Email = l.Address // for the rules of passwords
	if err := CheckUser(&u, d.now()); err != nil {
		return storage.User{}, err
	}
	removeRepeatedUserValues(&u)
	hash, err := d.passwords.Hash(ctx, password, u)
	if err != nil {
		return storage.User{}, err
	}
	return d.db.CreateUserByLink(ctx, storage.LinkedUser{Link: l.Ref(), User: u, Hash: hash, From: from}, d.now())
}

// GrantAdmin gives a user a role of administration, in place of the present one. For an account
// without a verified address, unproven decides whether attached data is evicted. GrantAdmin returns
// the evicted data. Event user.promoted; for an administrator, who loses rights, user.demoted.
//
// Errors: storage.ErrNotFound, storage.ErrLastAdmin, *storage.UnprovenError, the error of a check.
func (d *Directory) GrantAdmin(ctx context.Context, userID string, role storage.AdminRole, unproven storage.UnprovenPolicy, from storage.Origin, checks ...storage.UserCheck) (storage.Attached, error) {
	return d.db.GrantAdmin(ctx, userID, role, unproven, d.by(from), checks...)
}

// RevokeAdmin removes the role of administration from a user. Event user.demoted. Errors:
// storage.ErrNotFound, storage.ErrLastAdmin, the error of a check.
func (d *Directory) RevokeAdmin(ctx context.Context, userID string, from storage.Origin, checks ...storage.UserCheck) error {
	return d.db.RevokeAdmin(ctx, userID, d.by(from), checks...)
}

// DisableUser disables a user: sign-ins are refused, and all sessions and tokens end. Event
// user.disabled. Errors: storage.ErrNotFound, storage.ErrLastAdmin.
func (d *Directory) DisableUser(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.SetUserEnabled(ctx, userID, false, d.by(from))
}

// EnableUser lets a user sign in again. Ended sessions and tokens stay ended. Event
// user.enabled. Errors: storage.ErrNotFound.
func (d *Directory) EnableUser(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.SetUserEnabled(ctx, userID, true, d.by(from))
}

// DeleteUser deletes a user permanently, with all data of the account. Event user.deleted.
// Errors: storage.ErrNotFound, storage.ErrLastAdmin, the error of a check.
func (d *Directory) DeleteUser(ctx context.Context, userID string, from storage.Origin, checks ...storage.UserCheck) error {
	return d.db.DeleteUser(ctx, userID, d.by(from), checks...)
}
