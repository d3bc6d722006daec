package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/storage"
)

// FieldError: a field of a user breaks a rule.
type FieldError struct {
	Field string // as OIDC Core, section 5.1, names the claim
	Cause error  // begins with the value
}

// Error names the field and says what is wrong with it.
func (e *FieldError) Error() string { return e.Field + " " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *FieldError) Unwrap() error { return e.Cause }

// CheckEmail says why a user cannot have that e-mail address. *FieldError.
func CheckEmail(address string) error {
	if _, err := storage.CanonicalEmail(address); err != nil {
		return &FieldError{"email", fmt.Errorf("%q: %w", address, err)}
	}
	return nil
}

// MinPasswordLength is how many characters a new password has at least.
func (d *Directory) MinPasswordLength() int { return d.passwords.MinLength() }

// PasswordMatches reports whether a stored hash is that of the password, see credential.Passwords.Matches.
func (d *Directory) PasswordMatches(stored, password string) bool {
	return d.passwords.Matches(stored, password)
}

// CreateUser makes a user with a password, or with none for "". u.ID may be empty: one is
// made. Event user.created.
//
// *FieldError. Of the password: credential.ErrWeak, credential.ErrBusy.
// storage.ErrConflict: the e-mail is taken. storage.ErrUsernameTaken: another user has
// this preferred_username, or one that looks like it.
func (d *Directory) CreateUser(ctx context.Context, u storage.User, password string, from storage.Origin) (storage.User, error) {
	if err := CheckUser(&u, d.now()); err != nil {
		return storage.User{}, err
	}
	inEachOnce(&u)
	var hash string
	if password != "" {
		var err error
		if hash, err = d.passwords.Hash(ctx, password, u); err != nil {
			return storage.User{}, err
		}
	}
	return d.db.CreateUser(ctx, u, hash, d.by(from))
}

// CreateFirstAdmin makes the first administrator by a set-up link, which is given by the
// hash of its token. Of several visitors one wins. Events user.created, setup.completed.
//
// The errors of CreateUser. storage.ErrNotFound: the link is used, expired or unknown.
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

// CheckUser says what breaks a rule in a user who is to be made at that moment, and writes
// each value in its one spelling. *FieldError.
func CheckUser(u *storage.User, at time.Time) error {
	if err := CheckEmail(u.Email); err != nil {
		return err
	}
	if u.PhoneNumberVerified && u.PhoneNumber == "" {
		return &FieldError{"phone_number_verified", errors.New("has no phone_number that it could be about")}
	}
	verified := u.PhoneNumberVerified
	err := CheckUserChange(storage.User{}, u, at)
	u.PhoneNumberVerified = verified
	return err
}

// ReviseUser changes a user as it is now. The error of r.Revise undoes all, and is
// returned as it is. A name that breaks a rule may stay if it was stored before the rule.
// For a new or newly proven address see DB.ReviseUser of storage. Event user.updated.
//
// *FieldError; storage.ErrNoAddress, storage.ErrNoPhone: there is nothing to call verified;
// storage.ErrNotFound; storage.ErrConflict: the e-mail is taken; storage.ErrUsernameTaken;
// *storage.UnprovenError.
func (d *Directory) ReviseUser(ctx context.Context, r storage.UserRevision) (storage.RevisedUser, error) {
	var refused error
	revise := r.Revise
	r.Revise = func(u *storage.User) error {
		before := *u
		if refused = revise(u); refused == nil && u.Email != before.Email {
			refused = CheckEmail(u.Email)
		}
		if refused == nil {
			inEachOnce(u)
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

// CheckUserChange says what breaks a rule in the fields of a user that differ from those
// before, and writes each value in its one spelling. An empty e-mail is not judged.
// *FieldError.
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
	// Unproven decides about an account whose address is only claimed: typing a password
	// proves no address.
	Unproven storage.UnprovenPolicy
}

// ResetPassword gives a user a new password and ends every session and token of the user,
// in one step. It gives what was evicted. Events password.changed, session.ended_all and
// user.evicted.
//
// credential.ErrWeak, credential.ErrBusy, storage.ErrNotFound, *storage.UnprovenError.
func (d *Directory) ResetPassword(ctx context.Context, n PasswordReset, from storage.Origin) (storage.Attached, error) {
	hash, err := d.passwords.Hash(ctx, n.Password, n.User)
	if err != nil {
		return storage.Attached{}, err
	}
	return d.db.ResetPassword(ctx, storage.PasswordReset{
		UserID: n.User.ID, Hash: hash, Reason: n.Reason, Unproven: n.Unproven, From: from,
	}, d.now())
}

// GrantAdmin lets a user administer the server. It gives what was evicted from an account
// whose address is only claimed, as unproven says. Event user.promoted.
//
// storage.ErrNotFound, *storage.UnprovenError.
func (d *Directory) GrantAdmin(ctx context.Context, userID string, unproven storage.UnprovenPolicy, from storage.Origin) (storage.Attached, error) {
	return d.db.GrantAdmin(ctx, userID, unproven, d.by(from))
}

// RevokeAdmin undoes GrantAdmin. Event user.demoted. storage.ErrNotFound,
// storage.ErrLastAdmin.
func (d *Directory) RevokeAdmin(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.RevokeAdmin(ctx, userID, d.by(from))
}

// DisableUser keeps a user out: every session and token ends now. Event user.disabled.
// storage.ErrNotFound, storage.ErrLastAdmin.
func (d *Directory) DisableUser(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.SetUserEnabled(ctx, userID, false, d.by(from))
}

// EnableUser lets a user sign in again; what ended stays ended. Event user.enabled.
// storage.ErrNotFound.
func (d *Directory) EnableUser(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.SetUserEnabled(ctx, userID, true, d.by(from))
}

// DeleteUser removes a user for good, with everything of the account. Event user.deleted.
// storage.ErrNotFound, storage.ErrLastAdmin.
func (d *Directory) DeleteUser(ctx context.Context, userID string, from storage.Origin) error {
	return d.db.DeleteUser(ctx, userID, d.by(from))
}
