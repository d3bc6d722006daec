package credential

import (
	"math"
	"time"

	"signet/storage"
)

// Limits are the numbers of wrong passwords before the answer is 429. Zero values become
// the defaults.
type Limits struct {
	Account int           // for one account, and for each browser that its user has signed in with; default 20
	Network int           // from one IPv4 address or IPv6 /64; default 100
	Window  time.Duration // wrong passwords within this time are counted; default 15 min
}

// OfNetwork returns the limit of wrong passwords from one network. Other endpoints at which secrets
// can be guessed use the same number.
func (l Limits) OfNetwork() storage.NetworkLimit {
	l = l.orDefault()
	return storage.NetworkLimit{Max: l.Network, Window: l.Window}
}

func (l Limits) orDefault() Limits {
	l.Account, l.Network = positiveOr(l.Account, 20), positiveOr(l.Network, 100)
	if l.Window <= 0 {
		l.Window = 15 * time.Minute
	}
	return l
}

// decoy returns a limit that is never reached. Reserving it only writes a row.
func decoy(bucket string, window time.Duration) storage.Limit {
	return storage.Limit{Key: "decoy:" + bucket, Max: math.MaxInt32, Window: window}
}

func positiveOr(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}

// OfSecondFactor returns the limits that count codes of a second factor. They belong to the user,
// so a new sign-in starts no new count. As with passwords, a browser that the user has signed in
// with before has a count of its own, so attackers who know the password cannot lock the owner out
// there.
func (l Limits) OfSecondFactor(user storage.User, address string, device storage.Device) []storage.Limit {
	l = l.orDefault()
	if device.KnownTo(user) {
		return []storage.Limit{{Key: "factor-dev:" + device.ID, Max: l.Account, Window: l.Window}}
	}
	return append(l.OfNetwork().For("net", address), storage.Limit{Key: "factor:" + user.ID, Max: l.Account, Window: l.Window})
}
