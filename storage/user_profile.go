package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Profile is what people edit of themselves. An e-mail is not among it: a new
// one has to be proven first.
type Profile struct {
	Name, GivenName, FamilyName, Nickname, PreferredUsername string
	Picture, Website, Zoneinfo, Locale                       string

	Seen Millis // User.UpdatedAt of what was edited; zero: whatever stands there
}

// UpdateProfile replaces the profile of an enabled user. Event user.updated.
//
// ErrConflict: the user was changed after Seen, and the edit would undo that.
// ErrUsernameTaken: another user has the new preferred_username, or one that looks like
// it; one that the user has already may stay.
// ErrRevoked: the user is gone or disabled.
func (db *DB) UpdateProfile(ctx context.Context, userID string, p Profile, by By) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("update profile: %w", err)
	}
	return db.write(ctx, "update profile", func(tx *gorm.DB) error {
		updated, err := changed(tx, `UPDATE users SET name = ?, given_name = ?, family_name = ?, nickname = ?, 
				username_folded = CASE WHEN preferred_username = ? THEN username_folded ELSE ? END, preferred_username = ?,
				picture = ?, website = ?, zoneinfo = ?, locale = ?,
				updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END -- never the same twice
			WHERE id = ? AND disabled_at = 0 AND (updated_at = ? OR CAST(? AS BIGINT) = 0)`,
			p.Name, p.GivenName, p.FamilyName, p.Nickname, p.PreferredUsername, FoldUsername(p.PreferredUsername), p.PreferredUsername,
			p.Picture, p.Website, p.Zoneinfo, p.Locale, At(by.At), At(by.At), userID, p.Seen, p.Seen)
		if err != nil {
			return usernameRace(err)
		}
		if !updated {
			return whyNotUpdated(tx, userID)
		}
		return record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
}

func whyNotUpdated(tx *gorm.DB, userID string) error {
	var enabled int64
	err := tx.Model(&User{}).Where("id = ? AND disabled_at = 0", userID).Count(&enabled).Error
	switch {
	case err != nil:
		return err
	case enabled == 0:
		return ErrRevoked
	}
	return ErrConflict
}
