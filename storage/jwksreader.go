package storage

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// JWKSReader is a family of programs that reads the published keys, by the name
// they give themselves. All nodes count into one row.
type JWKSReader struct {
	Family  string `gorm:"primaryKey"`
	Fetches int64
	SeenAt  Millis // last
}

// OtherReaders is the family of all that are too many to tell apart.
const OtherReaders = "other"

const (
	maxReaders    = 200
	forgetReaders = 90 * 24 * time.Hour
)

// NoteJWKSReaders adds what was counted since the last time. At most 200 families are
// told apart, the others counted as one; who has not come for 90 days is forgotten.
func (db *DB) NoteJWKSReaders(ctx context.Context, seen []JWKSReader, at time.Time) error {
	return db.write(ctx, "note JWKS readers", func(tx *gorm.DB) error {
		if err := tx.Exec(`DELETE FROM jwks_readers WHERE seen_at < ?`, At(at.Add(-forgetReaders))).Error; err != nil {
			return err
		}
		var known int64
		if err := tx.Raw(`SELECT COUNT(*) FROM jwks_readers`).Scan(&known).Error; err != nil {
			return err
		}
		for _, r := range seen {
			if err := noteReader(tx, r, &known); err != nil {
				return err
			}
		}
		return nil
	})
}

func noteReader(tx *gorm.DB, r JWKSReader, known *int64) error {
	r.Family = cleanText(r.Family, longestName)
	found, err := changed(tx, `UPDATE jwks_readers SET fetches = fetches + ?, seen_at = CASE WHEN seen_at < ? THEN ? ELSE seen_at END WHERE family = ?`,
		r.Fetches, r.SeenAt, r.SeenAt, r.Family)
	if err != nil || found {
		return err
	}
	if *known >= maxReaders-1 && r.Family != OtherReaders {
		r.Family = OtherReaders
		return noteReader(tx, r, known)
	}
	*known++
	return tx.Exec(`INSERT INTO jwks_readers (family, fetches, seen_at) VALUES (?, ?, ?)
		ON CONFLICT (family) DO UPDATE SET fetches = jwks_readers.fetches + excluded.fetches, seen_at = excluded.seen_at`,
		r.Family, r.Fetches, r.SeenAt).Error
}

// JWKSReaders lists them, who came last first.
func (db *DB) JWKSReaders(ctx context.Context) ([]JWKSReader, error) {
	var list []JWKSReader
	err := db.read(ctx, "list JWKS readers", func(q *gorm.DB) error {
		return q.Order("seen_at DESC, family").Limit(maxReaders).Find(&list).Error
	})
	return list, err
}
