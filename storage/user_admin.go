package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrLastAdmin: no other enabled administrator would be left.
var ErrLastAdmin = engine.NewVerdict("the last administrator")

// errAdminRole is the mistake of a caller.
var errAdminRole = errors.New("set role of administration: the role is unknown")

// GrantAdmin gives a user a role of administration, in place of the present one. If the user's address
// is not verified, unproven decides about the attachments of the account; GrantAdmin returns those that
// were evicted. If the user has the role already, nothing changes. Changes of the address that the user
// could undo become final: the former mailbox must not get the new right. Open links with which a person
// sets a password or adds a factor end: an operator with fewer rights may have made them. An
// administrator who gets a lesser role only loses rights, so none of this applies. It records the events
// user.promoted or user.demoted, and user.evicted.
// ErrNotFound, ErrLastAdmin, *UnprovenError, the error of a check.
func (db *DB) GrantAdmin(ctx context.Context, userID string, role AdminRole, unproven UnprovenPolicy, by By, checks ...UserCheck) (evicted Attached, err error) {
	if err := refuseImpossible(userID); err != nil {
		return Attached{}, fmt.Errorf("set role of administration: %w", err)
	}
	if !role.IsAny() {
		return Attached{}, errAdminRole
	}
	err = db.write(ctx, "set role of administration", func(tx *gorm.DB) error {
		evicted = Attached{}
		u, err := db.lockUser(tx, userID)
		if err != nil {
			return err
		}
		if err := runChecks(u, checks); err != nil || u.AdminRole() == role {
			return err
		}
		if u.Admin {
			return db.demote(tx, u, role, by)
		}
		if evicted, err = evictBeforeAdmin(tx, u, unproven, by); err != nil {
			return err
		}
		if err := setAdminRole(tx, userID, role, by.At); err != nil {
			return err
		}
		if err := endTrustBeforeAdmin(tx, userID, by); err != nil {
			return err
		}
		if err := forgetAddressChanges(tx, userID); err != nil {
			return err
		}
		if err := endLinksIn(tx, userID); err != nil {
			return err
		}
		return recordAdminRole(tx, UserPromoted, u, role, by)
	})
	if err != nil {
		return Attached{}, err
	}
	return evicted, nil
}

// RevokeAdmin removes the role of administration from a user. If the user has none, nothing changes. It
// records the event user.demoted. ErrNotFound, ErrLastAdmin, the error of a check.
func (db *DB) RevokeAdmin(ctx context.Context, userID string, by By, checks ...UserCheck) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("remove role of administration: %w", err)
	}
	return db.write(ctx, "remove role of administration", func(tx *gorm.DB) error {
		u, err := db.lockUser(tx, userID)
		if err != nil {
			return err
		}
		if err := runChecks(u, checks); err != nil || !u.AdminRole().IsAny() {
			return err
		}
		return db.demote(tx, u, NoAdminRole, by)
	})
}

// demote gives a user a role with fewer rights, or none. ErrLastAdmin.
func (db *DB) demote(tx *gorm.DB, u User, role AdminRole, by By) error {
	if err := db.checkNotLastAdmin(tx, u.ID); err != nil {
		return err
	}
	if err := setAdminRole(tx, u.ID, role, by.At); err != nil {
		return err
	}
	return recordAdminRole(tx, UserDemoted, u, role, by)
}

// setAdminRole stores the role of administration of a user.
func setAdminRole(tx *gorm.DB, userID string, role AdminRole, at time.Time) error {
	var want User
	want.SetAdminRole(role)
	_, err := changeOne(tx, `UPDATE users SET admin = ?, lesser_role = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END
			WHERE id = ?`, want.Admin, want.LesserRole, At(at), At(at), userID)
	if err != nil {
		return err
	}
	return settleAdminRole(tx, role, at)
}

// settleAdminRole does what the first user with a role of administration changes for the instance: an
// administrator closes setup, and another role keeps earlier programs away.
func settleAdminRole(tx *gorm.DB, role AdminRole, at time.Time) error {
	switch role {
	case NoAdminRole:
		return nil
	case Administrator:
		return closeSetup(tx, at)
	}
	return requireProgram(tx, programWithAdminRoles)
}

// recordAdminRole records that a user got or lost a role of administration.
func recordAdminRole(tx *gorm.DB, event EventType, before User, role AdminRole, by By) error {
	detail := map[string]any{}
	if role.IsAny() {
		detail["admin_role"] = role
	}
	if former := before.AdminRole(); former.IsAny() {
		detail["former_admin_role"] = former
	}
	return record(tx, Event{Type: event, Outcome: Succeeded, UserID: before.ID, From: by.From, Detail: detail}, by.At)
}

func evictBeforeAdmin(tx *gorm.DB, u User, unproven UnprovenPolicy, by By) (evicted Attached, err error) {
	attached, err := attachedTo(tx, u.ID, by.At)
	if err != nil {
		return Attached{}, err
	}
	cleared, err := evictIfUnproven(tx, u, attached, unproven, by)
	if err != nil || !cleared {
		return Attached{}, err
	}
	return attached, nil
}

// checkNotLastAdmin returns ErrLastAdmin if this user is the only enabled administrator. Each
// transaction that removes an administrator calls it first. It locks the instance row, because
// otherwise two administrators could remove each other at the same time.
func (db *DB) checkNotLastAdmin(tx *gorm.DB, userID string) error {
	if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
		return err
	}
	var last int64
	err := tx.Raw(`SELECT COUNT(*) FROM users WHERE id = ? AND admin AND disabled_at = 0 AND NOT EXISTS (`+otherAdmins+` AND disabled_at = 0)`,
		userID, userID).Scan(&last).Error
	if err == nil && last > 0 {
		err = ErrLastAdmin
	}
	return err
}
