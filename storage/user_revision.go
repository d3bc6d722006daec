package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// ErrNoAddress: an address is called verified, and the user has none.
var ErrNoAddress = errors.New("the user has no address that could be verified")

// ErrNoPhone: a phone number is called verified, and the user has none.
var ErrNoPhone = errors.New("the user has no phone number that could be verified")

// UserRevision is the input of DB.ReviseUser.
type UserRevision struct {
	UserID string
	// Revise writes what an administrator may change into the user that it is given.
	// It may run several times; its error is the answer and undoes all.
	Revise func(*User) error
	// Verified is what the operator says of the address as it is afterwards: true, it
	// is proven; false, it is only claimed; nil, nothing. A new address of which
	// nothing is said is only claimed.
	Verified *bool
	// PhoneVerified is what the operator says of the phone number as it is afterwards;
	// nil: nothing. A new number of which nothing is said is not verified.
	PhoneVerified *bool
	// Unproven: see ReviseUser.
	Unproven UnprovenPolicy
	From     Origin
}

// RevisedUser is a user after a revision, and what was evicted from the account.
type RevisedUser struct {
	User
	Evicted Attached
}

// ReviseUser changes what an administrator may of a user as it is now: of two who
// change different things at once neither undoes what the other did. Id,
// administration, times and whether the user is off stay as they are. A new
// e-mail ends all that the user has.
//
// To call an address verified that was only claimed is a first proof: it evicts what
// is attached (see ProveAddress), unless Unproven is KeepAttached. To give a role or
// a group to an account whose address is only claimed afterwards is no proof, and is
// decided by Unproven. The changes of Revise are applied after an eviction.
//
// Events user.updated, and address.proven, user.evicted, session.ended_all where that
// happens. ErrNotFound; ErrConflict: the e-mail is taken; ErrUsernameTaken: another user
// has the new preferred_username, or one that looks like it; ErrNoAddress; ErrNoPhone;
// *UnprovenError.
func (db *DB) ReviseUser(ctx context.Context, r UserRevision, at time.Time) (RevisedUser, error) {
	if err := refuseImpossible(r.UserID); err != nil {
		return RevisedUser{}, fmt.Errorf("revise user: %w", err)
	}
	var revised RevisedUser
	err := db.write(ctx, "revise user", func(tx *gorm.DB) error {
		have, err := db.lockUser(tx, r.UserID)
		if err != nil {
			return err
		}
		want, err := r.apply(have, at)
		if err != nil {
			return err
		}
		evicted, err := clearBefore(tx, r, have, want, at)
		if err != nil {
			return err
		}
		if !evicted.IsEmpty() {
			if err := tx.Where("id = ?", have.ID).Take(&have).Error; err != nil {
				return err
			}
			if want, err = r.apply(have, at); err != nil {
				return err
			}
		}
		if err := nameUser(tx, &want, have); err != nil {
			return err
		}
		revised = RevisedUser{User: want, Evicted: evicted}
		return replaceUser(tx, have, want, By{From: r.From, At: at})
	})
	if err != nil {
		return RevisedUser{}, err
	}
	return revised, nil
}

// apply gives the user as it shall be.
func (r UserRevision) apply(have User, at time.Time) (User, error) {
	want := have
	err := r.Revise(&want)
	if err == nil && want.Email != have.Email {
		want.EmailCanonical, err = CanonicalEmail(want.Email)
	}
	if err != nil {
		return User{}, fmt.Errorf("%w: %w", errChecked, err)
	}
	want.EmailVerified = have.EmailVerified && want.EmailCanonical == have.EmailCanonical
	if r.Verified != nil {
		want.EmailVerified = *r.Verified
	}
	if want.EmailVerified && want.EmailCanonical == "" {
		return User{}, fmt.Errorf("%w: %w", errChecked, ErrNoAddress)
	}
	want.PhoneNumberVerified = have.PhoneNumberVerified && want.PhoneNumber == have.PhoneNumber
	if r.PhoneVerified != nil {
		want.PhoneNumberVerified = *r.PhoneVerified
	}
	if want.PhoneNumberVerified && want.PhoneNumber == "" {
		return User{}, fmt.Errorf("%w: %w", errChecked, ErrNoPhone)
	}
	want.UpstreamGroups = have.UpstreamGroups
	want.ID, want.Admin, want.DisabledAt, want.NotBefore, want.CreatedAt = have.ID, have.Admin, have.DisabledAt, have.NotBefore, have.CreatedAt
	want.UpdatedAt = max(At(at), have.UpdatedAt+1) // never the same twice
	return want, nil
}

// clearBefore evicts what a first proof of the address evicts, and decides about
// roles and groups for a claimed one.
func clearBefore(tx *gorm.DB, r UserRevision, have, want User, at time.Time) (evicted Attached, err error) {
	proves := want.EmailVerified && !have.EmailVerified
	opens := !want.EmailVerified && (hasMore(have.Roles, want.Roles) || hasMore(have.Groups, want.Groups))
	if !proves && !opens {
		return Attached{}, nil
	}
	attached, err := attachedTo(tx, have.ID, at)
	if err != nil {
		return Attached{}, err
	}
	do := r.Unproven
	if proves && do == StopIfAttached {
		do = EvictAttached
	}
	before := have
	before.EmailVerified = have.EmailVerified && want.EmailVerified
	if opens { // the address that is claimed afterwards counts
		before.Email, before.EmailCanonical = want.Email, want.EmailCanonical
	}
	cleared, err := clearClaimed(tx, before, attached, do, By{From: r.From, At: at})
	if err != nil || !cleared {
		return Attached{}, err
	}
	return attached, nil
}

// hasMore reports whether something stands in after that does not stand in before.
func hasMore(before, after []string) bool {
	return slices.ContainsFunc(after, func(s string) bool { return !slices.Contains(before, s) })
}

// revisable are the columns that an operator writes. The groups that upstreams gave are not
// among them.
var revisable = []string{
	"Email", "EmailCanonical", "EmailVerified", "Name", "GivenName", "FamilyName", "MiddleName", "Nickname", "PreferredUsername", "UsernameFolded",
	"Profile", "Picture", "Website", "Gender", "Birthdate", "Zoneinfo", "Locale", "PhoneNumber", "PhoneNumberVerified", "Address",
	"Roles", "Groups", "UpdatedAt",
}

func replaceUser(tx *gorm.DB, have, want User, by By) error {
	row := want
	res := tx.Model(&User{}).Where("id = ?", want.ID).Select(revisable).Updates(&row)
	if res.Error != nil {
		return usernameRace(res.Error)
	}
	if err := record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: want.ID, From: by.From}, by.At); err != nil {
		return err
	}
	moved := have.EmailCanonical != want.EmailCanonical
	if want.EmailVerified && (moved || !have.EmailVerified) {
		proven := Event{Type: AddressProven, Outcome: Succeeded, Reason: string(ByOperator), UserID: want.ID, From: by.From}
		if err := record(tx, proven, by.At); err != nil {
			return err
		}
	}
	if !moved {
		return nil
	}
	if err := endAllOf(tx, want.ID, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: "email_changed", UserID: want.ID, From: by.From}, by.At)
}
