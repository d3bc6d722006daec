package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// TakeLease takes or extends a lease for a holder, until at plus life. It returns false if
// another holder has the lease. A lease lets one node do work that all nodes would do. It does
// not guarantee that the work happens only once; that needs a conditional write.
//
// A lease that runs longer than twice life was taken under a fast clock, and counts as free. The
// factor allows for the normal clock difference between nodes.
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
	until, tooLate := At(at.Add(life)), At(at.Add(2*life))
	return changeOne(tx, `INSERT INTO leases (name, holder, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
		WHERE leases.holder = excluded.holder OR leases.expires_at <= ? OR leases.expires_at > ?`,
		name, holder, until, At(at), tooLate)
}

// ReturnLease ends a lease at once, so that others can take it. If another holder has the lease,
// it does nothing.
func (db *DB) ReturnLease(ctx context.Context, name, holder string) error {
	return db.write(ctx, "return lease", func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE leases SET expires_at = 0 WHERE name = ? AND holder = ?`, name, holder).Error
	})
}
