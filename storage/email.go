package storage

import (
	"strings"

	"signet/federation/foreign"
)

// CanonicalEmail returns the form in which an email address is unique: without surrounding white
// space, the local part (ASCII only) in lower case, the domain as a lower-case A-label.
// Addresses that people see as equal (in upper or lower case, or with full-width letters in the
// domain) have the same canonical form.
//
// foreign.ErrEmail: foreign.SplitEmail refuses the text.
func CanonicalEmail(address string) (string, error) {
	local, domain, err := foreign.SplitEmail(strings.Trim(address, " \t\r\n"))
	if err != nil {
		return "", err
	}
	return strings.ToLower(local) + "@" + domain, nil
}

// canonicalOrNone is CanonicalEmail for users without an address: it returns "" for "".
func canonicalOrNone(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	return CanonicalEmail(address)
}
