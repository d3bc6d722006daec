package storage

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// JWKSReader is a family of programs that reads the published keys, by the name
// they give themselves. All nodes count into one row.
type JWKSReader struct {
	Family  string `gorm:"primaryKey"`
	Fetches int64
	Visits  int64  // in how many minutes it came, on any node
	Network string // where the family was first seen, see Network
	SeenAt  Millis // last
}

// OtherReaders is the family of all that are too many to tell apart.
const OtherReaders = "other"

// Bounds of what strangers can write by inventing names: of families in all, and of
// those that one network began.
const (
	MaxReaders      = 200
	MaxReadersOfOne = 20
	forgetReaders   = 90 * 24 * time.Hour
)

// RecordJWKSReaders adds what was counted in the last minute, and gives the families
// that are told apart from now on. There are at most 200 of them, at most 20 that
// were first seen in one network; all others are counted as OtherReaders. Where a
// bound is reached, a newcomer takes the place of the family that came in the fewest
// minutes, if that has stayed away for an hour for each of them (for more than a
// minute if it came once, for a week at most). A family that comes again and again keeps its row, however many names are invented. A family that has
// not come for 90 days is forgotten.
func (db *DB) RecordJWKSReaders(ctx context.Context, seen []JWKSReader, at time.Time) ([]string, error) {
	var table readerTable
	err := db.write(ctx, "note JWKS readers", func(tx *gorm.DB) error {
		table = readerTable{at: at}
		// One node after the other, or together they would fill more places than there are.
		if err := tx.Exec(`INSERT INTO leases (name, expires_at) VALUES ('jwks_readers', 0)
			ON CONFLICT (name) DO UPDATE SET expires_at = 0`).Error; err != nil {
			return err
		}
		if err := tx.Exec(`DELETE FROM jwks_readers WHERE seen_at < ?`, At(at.Add(-forgetReaders))).Error; err != nil {
			return err
		}
		if err := tx.Where("family <> ?", OtherReaders).Find(&table.rows).Error; err != nil {
			return err
		}
		for _, r := range table.knownFirst(seen) {
			if err := table.note(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	var families []string
	for _, r := range table.rows {
		families = append(families, r.Family)
	}
	return families, err
}

// readerTable is the rows that are told apart, as a transaction leaves them.
type readerTable struct {
	at   time.Time
	rows []JWKSReader
}

// knownFirst puts those that have a row first, so that no newcomer of the same minute
// takes it.
func (t *readerTable) knownFirst(seen []JWKSReader) []JWKSReader {
	var known, fresh []JWKSReader
	for _, r := range seen {
		r.Family, r.Visits = cleanText(r.Family, longestName), 1
		if t.find(r.Family) >= 0 {
			known = append(known, r)
		} else {
			fresh = append(fresh, r)
		}
	}
	return append(known, fresh...)
}

func (t *readerTable) find(family string) int {
	return slices.IndexFunc(t.rows, func(r JWKSReader) bool { return r.Family == family })
}

// note adds to the row of a family, gives it one, or counts it among the others.
func (t *readerTable) note(tx *gorm.DB, r JWKSReader) error {
	known := t.find(r.Family)
	switch {
	case r.Family == OtherReaders:
	case known >= 0:
		t.rows[known].Visits++
	default:
		room, err := t.makeRoom(tx, r.Network)
		if err != nil {
			return err
		}
		if room {
			t.rows = append(t.rows, r)
			break
		}
		r.Family, r.Network = OtherReaders, ""
	}
	return addFetches(tx, r)
}

func addFetches(tx *gorm.DB, r JWKSReader) error {
	return tx.Exec(`INSERT INTO jwks_readers (family, fetches, visits, network, seen_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (family) DO UPDATE SET fetches = jwks_readers.fetches + excluded.fetches, visits = jwks_readers.visits + 1,
			seen_at = CASE WHEN jwks_readers.seen_at < excluded.seen_at THEN excluded.seen_at ELSE jwks_readers.seen_at END`,
		r.Family, r.Fetches, r.Visits, r.Network, r.SeenAt).Error
}

// makeRoom reports whether a newcomer from that network may have a row. It deletes
// the row whose place the newcomer takes, and counts its fetches among the others'.
func (t *readerTable) makeRoom(tx *gorm.DB, network string) (bool, error) {
	rivals := func(JWKSReader) bool { return true }
	ofNetwork := func(r JWKSReader) bool { return r.Network == network }
	switch {
	case network != "" && t.count(ofNetwork) >= MaxReadersOfOne:
		rivals = ofNetwork
	case len(t.rows) < MaxReaders-1: // one place is for the others
		return true, nil
	}
	rarest := -1
	for i, r := range t.rows {
		if !rivals(r) || r.SeenAt >= At(t.at.Add(-r.keptFor())) {
			continue
		}
		if rarest < 0 || r.rarerThan(t.rows[rarest]) {
			rarest = i
		}
	}
	if rarest < 0 {
		return false, nil
	}
	gone := t.rows[rarest]
	t.rows = append(t.rows[:rarest], t.rows[rarest+1:]...)
	if err := tx.Exec(`DELETE FROM jwks_readers WHERE family = ?`, gone.Family).Error; err != nil {
		return false, err
	}
	return true, addFetches(tx, JWKSReader{Family: OtherReaders, Fetches: gone.Fetches, Visits: 1, SeenAt: gone.SeenAt})
}

func (t *readerTable) count(of func(JWKSReader) bool) (n int) {
	for _, r := range t.rows {
		if of(r) {
			n++
		}
	}
	return n
}

// keptFor is how long a family may stay away before a newcomer may take its row.
func (r JWKSReader) keptFor() time.Duration {
	if r.Visits <= 1 {
		return time.Minute
	}
	return time.Duration(min(r.Visits, 7*24)) * time.Hour
}

// rarerThan orders by visits, then by the last of them.
func (r JWKSReader) rarerThan(other JWKSReader) bool {
	if r.Visits != other.Visits {
		return r.Visits < other.Visits
	}
	return r.SeenAt < other.SeenAt
}

// JWKSReaders lists them, the latest seen first.
func (db *DB) JWKSReaders(ctx context.Context) ([]JWKSReader, error) {
	var list []JWKSReader
	err := db.read(ctx, "list JWKS readers", func(q *gorm.DB) error {
		return q.Order("seen_at DESC, family").Limit(MaxReaders).Find(&list).Error
	})
	return list, err
}
