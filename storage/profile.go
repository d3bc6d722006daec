package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Profile is what people edit of themselves. An e-mail is not among it: a new
// one has to be proven first.
type Profile struct {
	Name, GivenName, FamilyName, Nickname, PreferredUsername string
	Picture, Website, Zoneinfo, Locale                       string
}

// UpdateProfile replaces the profile of an enabled user. Event user.updated.
// ErrRevoked: the user is gone or disabled.
func (db *DB) UpdateProfile(ctx context.Context, userID string, p Profile, from Origin, at time.Time) error {
	if err := checkIDs(userID); err != nil {
		return fmt.Errorf("update profile: %w", err)
	}
	return db.write(ctx, "update profile", func(tx *gorm.DB) error {
		updated, err := changed(tx, `UPDATE users SET name = ?, given_name = ?, family_name = ?, nickname = ?, preferred_username = ?,
				picture = ?, website = ?, zoneinfo = ?, locale = ?, updated_at = ? WHERE id = ? AND disabled_at = 0`,
			p.Name, p.GivenName, p.FamilyName, p.Nickname, p.PreferredUsername,
			p.Picture, p.Website, p.Zoneinfo, p.Locale, At(at), userID)
		if err != nil {
			return err
		}
		if !updated {
			return ErrRevoked
		}
		return record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: userID, From: from}, at)
	})
}
