package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gorm.io/gorm"
)

// ErrNoAddress: the address is to be marked as verified, but the user has none.
var ErrNoAddress = errors.New("the user has no email address to verify")

// ErrNoPhone: the phone number is to be marked as verified, but the user has none.
var ErrNoPhone = errors.New("the user has no phone number to verify")

// UserRevision is the input of DB.ReviseUser.
type UserRevision struct {
	UserID string
	// Revise changes the fields that an administrator may change. It may run several times. If
	// it fails, its error is returned and nothing is changed.
	Revise func(*User) error
	// Verified is whether the resulting address is verified, by the operator; nil: unchanged.
	// With nil, a new address is not verified.
	Verified *bool
	// PhoneVerified is whether the resulting phone number is verified, by the operator; nil:
	// unchanged. With nil, a new number is not verified.
	PhoneVerified *bool
	// Settle makes all changes of the address final that the user could undo, also if the address
	// stays the same: the operator has named it.
	Settle bool
	// Enabled enables or disables the user; nil: unchanged. See SetUserEnabled.
	Enabled *bool
	// Checks run once, before Revise.
	Checks []UserCheck
	// Unproven: see ReviseUser.
	Unproven UnprovenPolicy
	From     Origin
}

// RevisedUser is a user after a revision, with the attachments that were evicted.
type RevisedUser struct {
	User
	Evicted Attached
}

// ReviseUser changes a user by applying r.Revise to its current row. Two administrators can
// therefore change different fields at the same time without losing a change. ID,
// ChosenSubject, the role of administration, DisabledAt, CreatedAt and UpstreamGroups stay the same. A new email address ends all sessions
// and grants of the user. The former address gets a mail if it was verified. All changes of the
// address that the user could undo become final then, and with more roles or groups: the operator
// decides who has the account and its rights. See also UserRevision.Settle.
//
// Marking an unverified address as verified is a first proof: it evicts the attachments (see
// ProveAddress), unless Unproven is KeepAttached. Adding a role or a group is not a proof. If
// the resulting address is not verified, Unproven decides about the attachments. After an
// eviction, the changes of Revise are applied again.
//
// It records the events user.updated, and if it applies address.proven, user.evicted, session.ended_all.
// ErrNotFound, the error of a check. ErrLastAdmin: Enabled would disable the last administrator.
// ErrConflict: the email address is taken. *AddressReservedError: another user can still restore it. ErrUsernameTaken: another user has the
// new preferred_username, or one that looks like it. ErrNoAddress, ErrNoPhone, *UnprovenError.
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
		if err := runChecks(have, r.Checks); err != nil {
			return err
		}
		want, err := r.apply(have, at)
		if err != nil {
			return err
		}
		evicted, err := evictBeforeRevision(tx, r, have, want, at)
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
		if err := setFoldedUsername(tx, &want, have); err != nil {
			return err
		}
		if r.Settle || hasMore(have.Roles, want.Roles) || hasMore(have.Groups, want.Groups) {
			if err := forgetAddressChanges(tx, want.ID); err != nil {
				return err
			}
		}
		by := By{From: r.From, At: at}
		if r.Enabled == nil || !r.changesNothing(have, want) {
			if err := db.replaceUser(tx, have, want, by); err != nil {
				return err
			}
		}
		if r.Enabled != nil {
			if err := db.setUserEnabled(tx, want.ID, *r.Enabled, by); err != nil {
				return err
			}
		}
		revised = RevisedUser{Evicted: evicted}
		return tx.Where("id = ?", want.ID).Take(&revised.User).Error
	})
	if err != nil {
		return RevisedUser{}, err
	}
	return revised, nil
}

// changesNothing reports whether the revision only enables or disables the user.
func (r UserRevision) changesNothing(have, want User) bool {
	want.UpdatedAt = have.UpdatedAt
	return !r.Settle && reflect.DeepEqual(have, want)
}

// apply returns the resulting user.
func (r UserRevision) apply(have User, at time.Time) (User, error) {
	want := have
	err := r.Revise(&want)
	if want.Email != have.Email {
		want.Email = TrimEmail(want.Email)
	}
	if err == nil && want.Email != have.Email {
		want.EmailCanonical, err = CanonicalEmail(want.Email)
	}
	if err != nil {
		return User{}, fmt.Errorf("%w: %w", errCheckFailed, err)
	}
	want.EmailVerified = have.EmailVerified && want.EmailCanonical == have.EmailCanonical
	if r.Verified != nil {
		want.EmailVerified = *r.Verified
	}
	if want.EmailVerified && want.EmailCanonical == "" {
		return User{}, fmt.Errorf("%w: %w", errCheckFailed, ErrNoAddress)
	}
	want.PhoneNumberVerified = have.PhoneNumberVerified && want.PhoneNumber == have.PhoneNumber
	if r.PhoneVerified != nil {
		want.PhoneNumberVerified = *r.PhoneVerified
	}
	if want.PhoneNumberVerified && want.PhoneNumber == "" {
		return User{}, fmt.Errorf("%w: %w", errCheckFailed, ErrNoPhone)
	}
	want.UpstreamGroups = have.UpstreamGroups
	want.ID, want.ChosenSubject, want.Admin, want.LesserRole = have.ID, have.ChosenSubject, have.Admin, have.LesserRole
	want.DisabledAt, want.NotBefore, want.CreatedAt = have.DisabledAt, have.NotBefore, have.CreatedAt
	want.UpdatedAt = max(At(at), have.UpdatedAt+1) // always changes
	return want, nil
}

// evictBeforeRevision evicts before a first proof of the address. If the resulting address is
// not verified and the user gets more roles or groups, it applies the policy.
func evictBeforeRevision(tx *gorm.DB, r UserRevision, have, want User, at time.Time) (evicted Attached, err error) {
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
	if opens { // the resulting address counts
		before.Email, before.EmailCanonical = want.Email, want.EmailCanonical
	}
	cleared, err := evictIfUnproven(tx, before, attached, do, By{From: r.From, At: at})
	if err != nil || !cleared {
		return Attached{}, err
	}
	return attached, nil
}

// hasMore reports whether after contains something that before does not.
func hasMore(before, after []string) bool {
	return slices.ContainsFunc(after, func(s string) bool { return !slices.Contains(before, s) })
}

// revisable are the columns that an operator may write. The groups from upstreams are not among
// them.
var revisable = []string{
	"Email", "EmailCanonical", "EmailVerified", "Name", "GivenName", "FamilyName", "MiddleName", "Nickname", "PreferredUsername", "UsernameFolded",
	"Profile", "Picture", "Website", "Gender", "Birthdate", "Zoneinfo", "Locale", "PhoneNumber", "PhoneNumberVerified", "Address",
	"Roles", "Groups", "UpdatedAt",
}

func (db *DB) replaceUser(tx *gorm.DB, have, want User, by By) error {
	row := want
	res := tx.Model(&User{}).Where("id = ?", want.ID).Select(revisable).Updates(&row)
	if res.Error != nil {
		return asUsernameTaken(res.Error)
	}
	detail := changesOf(have.recordedFields(), want.recordedFields())
	if err := record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: want.ID, From: by.From, Detail: detail}, by.At); err != nil {
		return err
	}
	moved := have.EmailCanonical != want.EmailCanonical
	if want.EmailVerified && (moved || !have.EmailVerified) {
		proven := Event{Type: AddressProven, Outcome: Succeeded, Reason: string(ByOperator), UserID: want.ID, From: by.From}
		if err := record(tx, proven, by.At); err != nil {
			return err
		}
		if err := endProofLinks(tx, want.ID); err != nil {
			return err
		}
	}
	if !moved {
		return nil
	}
	if err := settleAddress(tx, want.ID, want.EmailCanonical, by.At); err != nil {
		return err
	}
	if err := forgetAddressChanges(tx, want.ID); err != nil {
		return err
	}
	if err := db.notifyFormer(tx, have, by); err != nil {
		return err
	}
	if err := endAllOfUser(tx, want.ID, by.At); err != nil {
		return err
	}
	return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: "email_changed", UserID: want.ID, From: by.From}, by.At)
}
