package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// TakeLease takes or prolongs a lease for a holder, for life from at on. False:
// another holder has it. It lets one node do what all of them would; what must not
// happen twice is decided by a conditional write all the same.
//
// A lease that runs longer than twice life was taken under a clock that was ahead:
// it counts as free. Nodes differ by a little always.
func (db *DB) TakeLease(ctx context.Context, name, holder string, life time.Duration, at time.Time) (taken bool, err error) {
	if err := refuseImpossible(name, holder); err != nil {
		return false, fmt.Errorf("take lease: %w", err)
	}
	err = db.write(ctx, "take lease", func(tx *gorm.DB) (err error) {
		taken, err = takeLease(tx, name, holder, life, at)
		return err
	})
	return taken && err == nil, err
}

func takeLease(tx *gorm.DB, name, holder string, life time.Duration, at time.Time) (taken bool, err error) {
	until, impossible := At(at.Add(life)), At(at.Add(2*life))
	return changed(tx, `INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= ? OR leases.expires_at > ?`,
		name, holder, until, At(at), impossible)
}

// ReturnLease lets others have it at once. One that was lost meanwhile stays as it is.
func (db *DB) ReturnLease(ctx context.Context, name, holder string) error {
	return db.write(ctx, "return lease", func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE leases SET expires_at = 0 WHERE name = ? AND holder = ?`, name, holder).Error
	})
}
