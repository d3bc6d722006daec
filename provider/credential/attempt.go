package credential

import (
	"fmt"
	"strings"

	"signet/storage"
)

// Attempt is one try to sign in.
type Attempt struct {
	Username string // an e-mail, as typed
	Password string
	Address  string // the client's IP address
	Device   storage.Device
}

// limitsFor are the limits that one attempt counts against: the typed name's and the
// network's. An attempt from a browser that the user has signed in with counts
// against that browser alone: whatever strangers try, the owner can still try there.
//
// A name is counted in its bucket whether there is an account of that name or not.
// Were only unknown names to share buckets, an attacker who finds two names of one
// bucket could tell by the second that there is no account of the first. Two
// accounts share a bucket once in 262,144; then guesses at the one throttle the
// other in browsers that are new to it.
func (p *Passwords) limitsFor(user storage.User, a Attempt, bucket string) []storage.Limit {
	if a.Device.KnownTo(user) {
		return []storage.Limit{{Key: "dev:" + a.Device.ID, Max: p.limits.Account, Window: p.limits.Window}}
	}
	return []storage.Limit{
		{Key: "name:" + bucket, Max: p.limits.Account, Window: p.limits.Window},
		{Key: "net:" + storage.Network(a.Address), Max: p.limits.Network, Window: p.limits.Window},
	}
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
