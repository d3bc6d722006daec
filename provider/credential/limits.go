package credential

import (
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

// counted are the limits that one attempt counts against: the account and the
// network. One from a browser that the user has signed in with counts against that
// browser alone: whatever strangers try, the owner can still try there.
//
// A known account is counted under its id, so no spelling of its address is a
// second account. Unknown names share 65,536 buckets, so that strangers cannot
// fill the table, and no typed name is kept.
func (p *Passwords) counted(user storage.User, a Attempt) []storage.Limit {
	if a.Device.KnownTo(user) {
		return []storage.Limit{{Key: "dev:" + a.Device.ID, Max: p.limits.Account, Window: p.limits.Window}}
	}
	account := "acct:" + user.ID
	if user.ID == "" {
		account = "acct?:" + bucket(a.Username)
	}
	return []storage.Limit{
		{Key: account, Max: p.limits.Account, Window: p.limits.Window},
		{Key: "net:" + storage.Network(a.Address), Max: p.limits.Network, Window: p.limits.Window},
	}
}

// decoy is a limit that is never reached.
func decoy(username string, window time.Duration) storage.Limit {
	return storage.Limit{Key: "decoy:" + bucket(username), Max: math.MaxInt32, Window: window}
}

func bucket(username string) string {
	name, err := storage.CanonicalEmail(username)
	if err != nil {
		name = strings.ToLower(strings.TrimSpace(username))
	}
	return storage.Bucket(name)
}
