package credential

import (
	"math"
	"time"

	"signet/storage"
)

// Limits are how many wrong passwords are heard before the answer is 429. Zero means
// the default.
type Limits struct {
	Account int           // of one account, and of one browser that its user is known to; 20
	Network int           // from an IPv4 address or an IPv6 /64; 100
	Window  time.Duration // within which they are counted; 15 min
}

func (l Limits) orDefault() Limits {
	l.Account, l.Network = positiveOr(l.Account, 20), positiveOr(l.Network, 100)
	if l.Window <= 0 {
		l.Window = 15 * time.Minute
	}
	return l
}

// decoy is a limit that is never reached.
func decoy(bucket string, window time.Duration) storage.Limit {
	return storage.Limit{Key: "decoy:" + bucket, Max: math.MaxInt32, Window: window}
}

func positiveOr(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
