package storage

import (
	"fmt"

	"gorm.io/gorm"
)

// ClientCheck refuses an act on a client, such as a caller that has seen an older version. It gets the
// row as it is in the transaction of the act, under its lock. Its error is returned, and nothing is
// changed.
type ClientCheck func(Client) error

// checkedClient locks the row of a client, reads it and runs the checks. ErrNotFound.
func (db *DB) checkedClient(tx *gorm.DB, id string, checks []ClientCheck) (Client, error) {
	var c Client
	if err := db.lockRow(tx, clientRow, id, forUpdate); err != nil {
		return c, err
	}
	if err := tx.Where("id = ? AND "+isClient, id).Take(&c).Error; err != nil {
		return c, err
	}
	for _, check := range checks {
		if err := check(c); err != nil {
			return c, fmt.Errorf("%w: %w", errCheckFailed, err)
		}
	}
	return c, nil
}
