package storage

import (
	"strings"

	"signet/federation/foreign"
)

// CanonicalEmail gives the form in which an e-mail address is unique: trimmed,
// the local part (ASCII only) in lower case, the domain as a lower-case A-label.
// Two addresses that differ only in what people do not see as different (case,
// full-width letters of the domain) have one canonical form.
//
// foreign.ErrEmail for every text that foreign.SplitEmail refuses.
func CanonicalEmail(address string) (string, error) {
	local, domain, err := foreign.SplitEmail(strings.Trim(address, " \t\r\n"))
	if err != nil {
		return "", err
	}
	return strings.ToLower(local) + "@" + domain, nil
}

// canonicalOrNone is CanonicalEmail for users who may have no address: "" for "".
func canonicalOrNone(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	return CanonicalEmail(address)
}
