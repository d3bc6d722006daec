package storage

import (
	"cmp"
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

// Limit is how many attempts are allowed for a key within a window.
type Limit struct {
	Key    string // a bucket, never the text that a person entered (see keys.Ring.Bucket)
	Max    int
	Window time.Duration
}

// Network returns the part of an address that one customer of an internet provider usually has:
// an IPv4 address, or an IPv6 /64, since a customer can use any address within it. It returns
// "unknown" for all texts that are not an address.
func Network(address string) string {
	return networkOf(address, 64)
}

// WideNetwork returns an IPv4 address, or the IPv6 /48 of an address: the largest network that one
// customer usually has. It returns "unknown" for all texts that are not an address.
func WideNetwork(address string) string { return networkOf(address, 48) }

// networkOf returns an IPv4 address, or the prefix of an IPv6 address.
func networkOf(address string, bits int) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}

// NetworkLimit is how many attempts are allowed from one network within a window. Some customers
// have an IPv6 /48 with 65,536 networks, and change the network with every attempt. Therefore all
// networks of a /48 have a limit together. It is larger, because providers of mobile access give
// each phone a network of one /48.
type NetworkLimit struct {
	Max    int // from one Network
	Wide   int // from one IPv6 /48; 0: wideFactor times Max
	Window time.Duration
}

const wideFactor = 10

// For returns the limits for an address. name is the first part of their keys.
func (l NetworkLimit) For(name, address string) []Limit {
	network, wide := Network(address), WideNetwork(address)
	limits := []Limit{{Key: name + ":" + network, Max: l.Max, Window: l.Window}}
	if wide != network {
		limits = append(limits, Limit{Key: name + ":" + wide, Max: cmp.Or(l.Wide, wideFactor*l.Max), Window: l.Window})
	}
	return limits
}

// Reservation is an attempt that was counted and can be given back. DB.Reserve sets its keys;
// each contains the window in which the attempt was counted.
type Reservation struct {
	Keys []string
}

// Reserve counts one attempt against all limits before the caller does the work. It counts for
// all limits or for none, by conditional writes. The window of a key begins with its first
// attempt after the previous window has ended.
//
// *ThrottledError: a limit is exceeded; RetryAfter is the time until its window ends.
func (db *DB) Reserve(ctx context.Context, limits []Limit, at time.Time) (Reservation, error) {
	if err := checkLimitKeys(limits); err != nil {
		return Reservation{}, fmt.Errorf("reserve attempt: %w", err)
	}
	var reserved Reservation
	err := db.write(ctx, "reserve attempt", func(tx *gorm.DB) error {
		var err error
		reserved, err = countAttempts(tx, limits, at)
		return err
	})
	if err != nil {
		return Reservation{}, err
	}
	return reserved, nil
}

// CountFailure counts a failed attempt against all limits, and records the event if it has a
// type. It is for attempts that are cheap to check. These are checked first, so a successful
// attempt costs no write. An attempt over a limit is refused after a read: it is neither counted
// nor recorded, so that repeated attempts do not keep the writer busy.
//
// *ThrottledError: a limit is exceeded.
func (db *DB) CountFailure(ctx context.Context, limits []Limit, e Event, at time.Time) error {
	if err := db.CheckAttempts(ctx, limits, at); err != nil {
		return err
	}
	return db.write(ctx, "count failure", func(tx *gorm.DB) error {
		if _, err := countAttempts(tx, limits, at); err != nil || e.Type == "" {
			return err
		}
		return record(tx, e, at)
	})
}

// CheckAttempts checks whether all limits allow one more attempt now. It counts and reserves
// nothing. It spares the writer from repeated attempts that exceed a limit.
//
// *ThrottledError: a limit is exceeded.
func (db *DB) CheckAttempts(ctx context.Context, limits []Limit, at time.Time) error {
	if err := checkLimitKeys(limits); err != nil {
		return fmt.Errorf("read limits: %w", err)
	}
	return db.read(ctx, "read limits", func(q *gorm.DB) error { return checkNotUsedUp(q, limits, at) })
}

// latestEnd is the latest moment at which a window may end. A window that ends later was counted
// under a clock that has been set back since; it counts as over.
func (l Limit) latestEnd(at time.Time) Millis { return At(at).Add(l.Window + MaxClockSkew) }

// checkNotUsedUp returns a *ThrottledError if one of the limits allows no further attempt now.
func checkNotUsedUp(q *gorm.DB, limits []Limit, at time.Time) error {
	if len(limits) == 0 {
		return nil // without a condition, the statement would find the counters of others
	}
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

func checkLimitKeys(limits []Limit) error {
	for _, l := range limits {
		if err := refuseImpossible(l.Key); err != nil {
			return err
		}
	}
	return nil
}

// countAttempts adds one attempt to every key, in the order of the keys, so that two calls
// cannot deadlock.
func countAttempts(tx *gorm.DB, limits []Limit, at time.Time) (Reservation, error) {
	var reserved Reservation
	for _, l := range slices.SortedFunc(slices.Values(limits), func(a, b Limit) int { return strings.Compare(a.Key, b.Key) }) {
		key, err := countAttempt(tx, l, at)
		if err != nil {
			return Reservation{}, err
		}
		reserved.Keys = append(reserved.Keys, key)
	}
	return reserved, nil
}

// countAttempt adds one attempt to the window of a key, or refuses it. It returns the key for a
// Reservation.
func countAttempt(tx *gorm.DB, l Limit, at time.Time) (string, error) {
	if l.Max < 1 {
		return "", &ThrottledError{RetryAfter: l.Window}
	}
	now, end, latest := At(at), At(at).Add(l.Window), l.latestEnd(at)
	counted, err := changeOne(tx, `INSERT INTO throttles AS t (bucket, attempts, expires_at) VALUES (?, 1, ?)
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

// GiveBack undoes a reservation after a success, so that only failures count. It does nothing if
// the window is over.
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
			return errors.New("give back attempt: the reservation has a malformed key")
		}
		err = tx.Exec(`UPDATE throttles SET attempts = attempts - 1 WHERE bucket = ? AND expires_at = ? AND attempts > 0`,
			key, expires).Error
		if err != nil {
			return err
		}
	}
	return nil
}
