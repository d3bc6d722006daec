package storage

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Limit is how many attempts a key may reserve within a window.
type Limit struct {
	Key    string // never what was typed, but its bucket (see keys.Ring.Bucket)
	Max    int
	Window time.Duration
}

// Network is what one customer of an access provider usually has: an IPv4
// address, or an IPv6 /64, within which addresses cost nothing. All that is no
// address counts as one.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// Reservation is an attempt that was counted and can be given back. Its keys are
// made by DB.Reserve: each names the window it was counted in.
type Reservation struct {
	Keys []string
}

// Reserve counts one attempt against all limits at once, before any work is done
// for it, by conditional writes. Either all are counted or none. A key's window
// begins with the first attempt after the last window's end.
//
// *ThrottledError: one of them is used up; RetryAfter is until its window ends.
func (db *DB) Reserve(ctx context.Context, limits []Limit, at time.Time) (Reservation, error) {
	if err := checkLimits(limits); err != nil {
		return Reservation{}, fmt.Errorf("reserve attempt: %w", err)
	}
	var reserved Reservation
	err := db.write(ctx, "reserve attempt", func(tx *gorm.DB) error {
		var err error
		reserved, err = countAll(tx, limits, at)
		return err
	})
	if err != nil {
		return Reservation{}, err
	}
	return reserved, nil
}

// CountFailure counts an attempt that has failed against all limits at once, and
// records it, if the event has a type. It is for attempts that are cheap to
// judge: they are judged first, and what succeeds costs nothing here. An attempt
// over a limit is refused by a read alone, neither counted nor recorded, so that
// whoever keeps trying does not keep the writer busy.
//
// *ThrottledError: one of the limits is used up.
func (db *DB) CountFailure(ctx context.Context, limits []Limit, e Event, at time.Time) error {
	if err := db.CheckAttempts(ctx, limits, at); err != nil {
		return err
	}
	return db.write(ctx, "count failure", func(tx *gorm.DB) error {
		if _, err := countAll(tx, limits, at); err != nil || e.Type == "" {
			return err
		}
		return record(tx, e, at)
	})
}

// CheckAttempts asks whether all limits allow a further attempt now. It counts nothing
// and promises nothing: it keeps whoever is over a limit, and goes on trying, from
// the writer.
//
// *ThrottledError: one of the limits is used up.
func (db *DB) CheckAttempts(ctx context.Context, limits []Limit, at time.Time) error {
	if err := checkLimits(limits); err != nil {
		return fmt.Errorf("read limits: %w", err)
	}
	return db.read(ctx, "read limits", func(q *gorm.DB) error { return usedUp(q, limits, at) })
}

// latestEnd is when a window may end at the latest. One that ends later was counted
// by a clock that has been set back since, and is over.
func (l Limit) latestEnd(at time.Time) Millis { return At(at).Add(l.Window + MaxClockSkew) }

// usedUp refuses if one of the limits allows no further attempt now.
func usedUp(q *gorm.DB, limits []Limit, at time.Time) error {
	full := q.Table("throttles")
	for _, l := range limits {
		full = full.Or("bucket = ? AND attempts >= ? AND expires_at > ? AND expires_at <= ?", l.Key, l.Max, At(at), l.latestEnd(at))
	}
	var ends []Millis
	if err := full.Pluck("expires_at", &ends).Error; err != nil || len(ends) == 0 {
		return err
	}
	return &ThrottledError{RetryAfter: slices.Max(ends).Time().Sub(At(at).Time())}
}

func checkLimits(limits []Limit) error {
	for _, l := range limits {
		if err := refuseImpossible(l.Key); err != nil {
			return err
		}
	}
	return nil
}

// countAll adds one attempt to every key, in the order of the keys, so that two
// attempts cannot wait for each other.
func countAll(tx *gorm.DB, limits []Limit, at time.Time) (Reservation, error) {
	var reserved Reservation
	for _, l := range slices.SortedFunc(slices.Values(limits), func(a, b Limit) int { return strings.Compare(a.Key, b.Key) }) {
		key, err := count(tx, l, at)
		if err != nil {
			return Reservation{}, err
		}
		reserved.Keys = append(reserved.Keys, key)
	}
	return reserved, nil
}

// count adds one attempt to a key's window, or refuses it.
func count(tx *gorm.DB, l Limit, at time.Time) (string, error) {
	if l.Max < 1 {
		return "", &ThrottledError{RetryAfter: l.Window}
	}
	now, end, latest := At(at), At(at).Add(l.Window), l.latestEnd(at)
	counted, err := changed(tx, `INSERT INTO throttles AS t (bucket, attempts, expires_at) VALUES (?, 1, ?)
		ON CONFLICT (bucket) DO UPDATE SET
			attempts = CASE WHEN t.expires_at <= ? OR t.expires_at > ? THEN 1 ELSE t.attempts + 1 END,
			expires_at = CASE WHEN t.expires_at <= ? OR t.expires_at > ? THEN excluded.expires_at ELSE t.expires_at END
		WHERE t.attempts < ? OR t.expires_at <= ? OR t.expires_at > ?`,
		l.Key, end, now, latest, now, latest, l.Max, now, latest)
	if err != nil {
		return "", err
	}
	var expires Millis
	if err := tx.Raw(`SELECT expires_at FROM throttles WHERE bucket = ?`, l.Key).Scan(&expires).Error; err != nil {
		return "", err
	}
	if !counted {
		return "", &ThrottledError{RetryAfter: expires.Time().Sub(now.Time())}
	}
	return strconv.FormatInt(int64(expires), 10) + " " + l.Key, nil
}

// GiveBack undoes a reservation: what succeeds is not counted. A window that is
// over is left alone.
func (db *DB) GiveBack(ctx context.Context, r Reservation, at time.Time) error {
	if len(r.Keys) == 0 {
		return nil
	}
	return db.write(ctx, "give back attempt", func(tx *gorm.DB) error { return giveBack(tx, r) })
}

func giveBack(tx *gorm.DB, r Reservation) error {
	for _, counted := range r.Keys {
		window, key, found := strings.Cut(counted, " ")
		expires, err := strconv.ParseInt(window, 10, 64)
		if !found || err != nil {
			return errors.New("give back attempt: not a key that was reserved")
		}
		err = tx.Exec(`UPDATE throttles SET attempts = attempts - 1 WHERE bucket = ? AND expires_at = ? AND attempts > 0`,
			key, expires).Error
		if err != nil {
			return err
		}
	}
	return nil
}
