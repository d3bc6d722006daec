package credential

import (
	"math"
	"strings"
	"time"

	"signet/storage"
)

// limits are what one attempt counts against: the account and the network.
//
// A known account is counted under its id, so no spelling of its address is a
// second account. Unknown names share 65,536 buckets, so that strangers cannot
// fill the table, and no typed name is kept.
func (p *Passwords) limits(user storage.User, a Attempt) []storage.Limit {
	account := "acct:" + user.ID
	if user.ID == "" {
		account = "acct?:" + bucket(a.Username)
	}
	return []storage.Limit{
		{Key: account, Max: p.perAccount, Window: p.window},
		{Key: "net:" + storage.Network(a.Address), Max: p.perNetwork, Window: p.window},
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
