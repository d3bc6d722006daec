package credential

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
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
		{Key: "net:" + network(a.Address), Max: p.perNetwork, Window: p.window},
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
	sum := sha256.Sum256([]byte(name))
	return strconv.Itoa(int(binary.BigEndian.Uint16(sum[:])))
}

// network is what one customer of a provider usually has: an IPv4 address, or an
// IPv6 /64, within which addresses cost nothing. All that is no address counts as one.
func network(address string) string {
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
