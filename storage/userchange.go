package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ReviseUser changes what an administrator may of a user as it is now: of two who
// change different things at once neither undoes what the other did. revise writes
// into the user it is given; it may run twice, and its error is the answer and undoes
// all. Id, administration, times and whether the user is off stay as they are. A new
// e-mail ends all that the user has. Events user.updated and, with a new e-mail,
// session.ended_all. ErrNotFound; ErrConflict: the e-mail is taken.
func (db *DB) ReviseUser(ctx context.Context, id string, revise func(*User) error, from Origin, at time.Time) (User, error) {
	if err := checkIDs(id); err != nil {
		return User{}, fmt.Errorf("revise user: %w", err)
	}
	var revised User
	err := db.write(ctx, "revise user", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, id, forUpdate); err != nil {
			return err
		}
		var have User
		if err := tx.Where("id = ?", id).Take(&have).Error; err != nil {
			return err
		}
		want := have
		err := revise(&want)
		if err == nil && (want.Email != "" || have.Email != "") { // a user without an address may stay so
			want.EmailCanonical, err = CanonicalEmail(want.Email)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errChecked, err)
		}
		want.ID, want.Admin, want.DisabledAt, want.NotBefore, want.CreatedAt = have.ID, have.Admin, have.DisabledAt, have.NotBefore, have.CreatedAt
		want.UpdatedAt = max(At(at), have.UpdatedAt+1) // never the same twice
		revised = want
		return replaceUser(tx, have, want, from, at)
	})
	if err != nil {
		return User{}, err
	}
	return revised, nil
}

func replaceUser(tx *gorm.DB, have, want User, from Origin, at time.Time) error {
	row := want
	res := tx.Model(&User{}).Where("id = ?", want.ID).Select("Email", "EmailCanonical", "EmailVerified", "Name", "GivenName", "FamilyName",
		"PreferredUsername", "Zoneinfo", "Locale", "Roles", "Groups", "UpdatedAt").Updates(&row)
	if res.Error != nil {
		return res.Error
	}
	if err := record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: want.ID, From: from}, at); err != nil {
		return err
	}
	if have.EmailCanonical == want.EmailCanonical {
		return nil
	}
	if err := endAllOf(tx, want.ID, at); err != nil {
		return err
	}
	return record(tx, Event{Type: SessionsEnded, Outcome: Succeeded, Reason: "email_changed", UserID: want.ID, From: from}, at)
}

// SetAdmin lets a user administer the server, or no more; one that is so already is
// left as it is. Events user.promoted, user.demoted. ErrNotFound, ErrLastAdmin.
func (db *DB) SetAdmin(ctx context.Context, userID string, admin bool, from Origin, at time.Time) error {
	if err := checkIDs(userID); err != nil {
		return fmt.Errorf("set administrator: %w", err)
	}
	return db.write(ctx, "set administrator", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		event := UserPromoted
		if !admin {
			event = UserDemoted
			if err := db.keepAnAdmin(tx, userID); err != nil {
				return err
			}
		}
		set, err := changed(tx, `UPDATE users SET admin = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END
			WHERE id = ? AND admin <> ?`, admin, At(at), At(at), userID, admin)
		if err != nil {
			return err
		}
		if !set {
			return exists(tx, &User{}, userID)
		}
		if admin {
			if err := closeSetup(tx, at); err != nil {
				return err
			}
		}
		return record(tx, Event{Type: event, Outcome: Succeeded, UserID: userID, From: from}, at)
	})
}

// DeleteUser removes a user for good, with all it has; its sub is never given to
// another. The clients of its sessions are told that those ended, the events keep the
// bare sub. Event user.deleted. ErrNotFound, ErrLastAdmin.
func (db *DB) DeleteUser(ctx context.Context, userID string, from Origin, at time.Time) error {
	if err := checkIDs(userID); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return db.write(ctx, "delete user", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, userID, forUpdate); err != nil {
			return err
		}
		if err := db.keepAnAdmin(tx, userID); err != nil {
			return err
		}
		if err := endAllOf(tx, userID, at); err != nil { // for its notices
			return err
		}
		deleted, err := changed(tx, `DELETE FROM users WHERE id = ?`, userID)
		if err != nil {
			return err
		}
		if !deleted {
			return ErrNotFound
		}
		return record(tx, Event{Type: UserDeleted, Outcome: Succeeded, UserID: userID, From: from}, at)
	})
}
