package storage

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// JWKSReader is a family of programs that fetch the published keys. Its name comes from the
// programs' own description of themselves. All nodes count in the same row.
type JWKSReader struct {
	Family  string `gorm:"primaryKey"`
	Fetches int64
	Visits  int64  // number of minutes in which it fetched, on any node
	Network string // the network where the family was first seen, see Network
	SeenAt  Millis // when it fetched last
}

// OtherReaders is the family that counts all programs without a row of their own.
const OtherReaders = "other"

// Limits on the rows that strangers can create with invented names.
const (
	MaxReaders      = 200 // families
	MaxReadersOfOne = 20  // families that were first seen in one network
	forgetReaders   = 90 * 24 * time.Hour
)

// RecordJWKSReaders adds the fetches of the last minute, and returns the families that have a
// row now. There are at most 200 rows, at most 20 of them first seen in one network. All other
// fetches count as OtherReaders.
//
// If a limit is reached, a new family can replace the family that came in the fewest minutes.
// This requires that the old family has stayed away for one hour for each of those minutes, but
// not longer than a week. A family that came in one minute only can be replaced after a minute.
// So a family that returns regularly keeps its row, even if a stranger invents many names. A
// family that has not come for 90 days is deleted.
func (db *DB) RecordJWKSReaders(ctx context.Context, seen []JWKSReader, at time.Time) ([]string, error) {
	var table readerTable
	err := db.write(ctx, "record JWKS readers", func(tx *gorm.DB) error {
		table = readerTable{at: at}
		// This lock makes nodes run one after another. Together they could exceed the limit.
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
			if err := table.add(tx, r); err != nil {
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

// readerTable holds the families with a row, as the transaction leaves them.
type readerTable struct {
	at   time.Time
	rows []JWKSReader
}

// knownFirst sorts the families that have a row first, so that no new family of the same minute
// replaces them.
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

// add counts the fetches of a family in its row. A family without a row gets one if there is
// room, and otherwise counts as OtherReaders.
func (t *readerTable) add(tx *gorm.DB, r JWKSReader) error {
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

// makeRoom reports whether a new family from that network may get a row. If necessary, it
// deletes the row of another family and adds its fetches to those of OtherReaders.
func (t *readerTable) makeRoom(tx *gorm.DB, network string) (bool, error) {
	rivals := func(JWKSReader) bool { return true }
	ofNetwork := func(r JWKSReader) bool { return r.Network == network }
	switch {
	case network != "" && t.count(ofNetwork) >= MaxReadersOfOne:
		rivals = ofNetwork
	case len(t.rows) < MaxReaders-1: // one row is reserved for OtherReaders
		return true, nil
	}
	rarest := -1
	for i, r := range t.rows {
		if !rivals(r) || r.SeenAt >= At(t.at.Add(-r.reservedFor())) {
			continue
		}
		if rarest < 0 || r.rarerThan(t.rows[rarest]) {
			rarest = i
		}
	}
	if rarest < 0 {
		return false, nil
	}
	replaced := t.rows[rarest]
	t.rows = append(t.rows[:rarest], t.rows[rarest+1:]...)
	if err := tx.Exec(`DELETE FROM jwks_readers WHERE family = ?`, replaced.Family).Error; err != nil {
		return false, err
	}
	return true, addFetches(tx, JWKSReader{Family: OtherReaders, Fetches: replaced.Fetches, Visits: 1, SeenAt: replaced.SeenAt})
}

func (t *readerTable) count(of func(JWKSReader) bool) (n int) {
	for _, r := range t.rows {
		if of(r) {
			n++
		}
	}
	return n
}

// reservedFor is how long a family may stay away before a new family may replace it.
func (r JWKSReader) reservedFor() time.Duration {
	if r.Visits <= 1 {
		return time.Minute
	}
	return time.Duration(min(r.Visits, 7*24)) * time.Hour
}

// rarerThan compares the number of visits and then the time of the last one.
func (r JWKSReader) rarerThan(other JWKSReader) bool {
	if r.Visits != other.Visits {
		return r.Visits < other.Visits
	}
	return r.SeenAt < other.SeenAt
}

// JWKSReaders lists all families, the one that fetched last first.
func (db *DB) JWKSReaders(ctx context.Context) ([]JWKSReader, error) {
	var list []JWKSReader
	err := db.read(ctx, "list JWKS readers", func(q *gorm.DB) error {
		return q.Order("seen_at DESC, family").Limit(MaxReaders).Find(&list).Error
	})
	return list, err
}
