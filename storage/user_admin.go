package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrLastAdmin: no other enabled administrator would be left.
var ErrLastAdmin = engine.NewVerdict("the last administrator")

// GrantAdmin makes a user an administrator. If the user's address is not verified, unproven
// decides about the attachments of the account; GrantAdmin returns those that were evicted. If
// the user is an administrator already, nothing changes. Changes of the address that the user could
// undo become final: the former mailbox must not get the new right. It records the events
// user.promoted, user.evicted.
// ErrNotFound, *UnprovenError.
func (db *DB) GrantAdmin(ctx context.Context, userID string, unproven UnprovenPolicy, by By) (evicted Attached, err error) {
	if err := refuseImpossible(userID); err != nil {
		return Attached{}, fmt.Errorf("set administrator: %w", err)
	}
	err = db.write(ctx, "set administrator", func(tx *gorm.DB) error {
		evicted = Attached{}
		u, err := db.lockUser(tx, userID)
		if err != nil || u.Admin {
			return err
		}
		if evicted, err = evictBeforeAdmin(tx, u, unproven, by); err != nil {
			return err
		}
		if err := setAdmin(tx, userID, true, by.At); err != nil {
			return err
		}
		if err := endTrustBeforeAdmin(tx, userID, by); err != nil {
			return err
		}
		if err := forgetAddressChanges(tx, userID); err != nil {
			return err
		}
		if err := closeSetup(tx, by.At); err != nil {
			return err
		}
		return record(tx, Event{Type: UserPromoted, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
	if err != nil {
		return Attached{}, err
	}
	return evicted, nil
}

// RevokeAdmin removes the administrator's rights from a user. If the user is not an
// administrator, nothing changes. It records the event user.demoted. ErrNotFound, ErrLastAdmin.
func (db *DB) RevokeAdmin(ctx context.Context, userID string, by By) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("set administrator: %w", err)
	}
	return db.write(ctx, "set administrator", func(tx *gorm.DB) error {
		u, err := db.lockUser(tx, userID)
		if err != nil {
			return err
		}
		if err := db.checkNotLastAdmin(tx, userID); err != nil || !u.Admin {
			return err
		}
		if err := setAdmin(tx, userID, false, by.At); err != nil {
			return err
		}
		return record(tx, Event{Type: UserDemoted, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
}

func setAdmin(tx *gorm.DB, userID string, admin bool, at time.Time) error {
	_, err := changeOne(tx, `UPDATE users SET admin = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END
			WHERE id = ?`, admin, At(at), At(at), userID)
	return err
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
