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
	local, domain, err := foreign.SplitEmail(TrimEmail(address))
	if err != nil {
		return "", err
	}
	return strings.ToLower(local) + "@" + domain, nil
}

// TrimEmail returns an email address without surrounding white space. Every address is stored in
// this form.
func TrimEmail(address string) string { return strings.Trim(address, " \t\r\n") }

// canonicalOrNone is CanonicalEmail for users without an address: it returns "" for "".
func canonicalOrNone(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	return CanonicalEmail(address)
}
