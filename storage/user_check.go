package storage

import (
	"fmt"

	"gorm.io/gorm"
)

// UserCheck refuses an act on a user, such as a caller that may not change administrators or that
// has seen an older version. It gets the row as it is in the transaction of the act, under its
// lock. Its error is returned, and nothing is changed.
type UserCheck func(User) error

// checkUser locks the row of a user and runs the checks. ErrNotFound.
func (db *DB) checkUser(tx *gorm.DB, userID string, checks []UserCheck) error {
	u, err := db.lockUser(tx, userID)
	if err != nil {
		return err
	}
	return runChecks(u, checks)
}

func runChecks(u User, checks []UserCheck) error {
	for _, check := range checks {
		if err := check(u); err != nil {
			return fmt.Errorf("%w: %w", errCheckFailed, err)
		}
	}
	return nil
}
