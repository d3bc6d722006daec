package credential

import (
	"fmt"
	"strings"

	"signet/storage"
)

// Attempt is one attempt to sign in.
type Attempt struct {
	Username string // the email address as typed
	Password string
	Address  string // the client's IP address
	Device   storage.Device
}

// limitsFor returns the limits that count an attempt: that of the typed name and that of
// the network. An attempt from a browser that the user has signed in with before only
// counts for that browser, so attackers cannot lock the owner out there.
//
// All names are counted in buckets, whether or not they have an account. If only unknown
// names shared buckets, an attacker with two names of one bucket could learn that the first
// has no account. Two given accounts share a bucket with a probability of 1 in 262,144. In
// that case, guesses at one account throttle the other in browsers that are new to it.
func (p *Passwords) limitsFor(user storage.User, a Attempt, bucket string) []storage.Limit {
	if a.Device.KnownTo(user) {
		return []storage.Limit{{Key: "dev:" + a.Device.ID, Max: p.limits.Account, Window: p.limits.Window}}
	}
	name := storage.Limit{Key: "name:" + bucket, Max: p.limits.Account, Window: p.limits.Window}
	return append(p.limits.OfNetwork().For("net", a.Address), name)
}

// bucketOf returns the bucket of a typed name. All spellings of an address have the same
// bucket.
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
