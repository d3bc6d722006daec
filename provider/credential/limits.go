package credential

import (
	"fmt"
	"math"
	"strings"
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
	l.Account, l.Network = positive(l.Account, 20), positive(l.Network, 100)
	if l.Window <= 0 {
		l.Window = 15 * time.Minute
	}
	return l
}

// counted are the limits that one attempt counts against: the typed name's and the
// network's. An attempt from a browser that the user has signed in with counts
// against that browser alone: whatever strangers try, the owner can still try there.
//
// A name is counted in its bucket whether there is an account of that name or not.
// Were only unknown names to share buckets, an attacker who finds two names of one
// bucket could tell by the second that there is no account of the first. Two
// accounts share a bucket once in 262,144; then guesses at the one throttle the
// other in browsers that are new to it.
func (p *Passwords) counted(user storage.User, a Attempt, bucket string) []storage.Limit {
	if a.Device.KnownTo(user) {
		return []storage.Limit{{Key: "dev:" + a.Device.ID, Max: p.limits.Account, Window: p.limits.Window}}
	}
	return []storage.Limit{
		{Key: "name:" + bucket, Max: p.limits.Account, Window: p.limits.Window},
		{Key: "net:" + storage.Network(a.Address), Max: p.limits.Network, Window: p.limits.Window},
	}
}

// decoy is a limit that is never reached.
func decoy(bucket string, window time.Duration) storage.Limit {
	return storage.Limit{Key: "decoy:" + bucket, Max: math.MaxInt32, Window: window}
}

// bucketOf gives the bucket of a typed name. Every spelling of an address is one
// name.
func (p *Passwords) bucketOf(username string) (string, error) {
	name, err := storage.CanonicalEmail(username)
	if err != nil {
		name = strings.ToLower(strings.TrimSpace(username))
	}
	bucket, err := p.bucket(name)
	if err != nil {
		return "", fmt.Errorf("count attempt: %w", err)
	}
	return bucket, nil
}
