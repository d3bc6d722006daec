package storage

import (
	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrLastAdmin: nobody would be left who may administer the server.
var ErrLastAdmin = engine.NewVerdict("the last administrator")

// keepAnAdmin is ErrLastAdmin if no enabled administrator would be left without this
// user. It belongs to each transaction that takes one away, before it does: those are
// decided one at a time, or two administrators could remove each other.
func (db *DB) keepAnAdmin(tx *gorm.DB, userID string) error {
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
