package storage

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// errEmail is why an address has no canonical form. It never names the address.
var errEmail = errors.New("not an e-mail address")

// CanonicalEmail gives the form in which an e-mail address is unique: trimmed,
// the local part (ASCII only) in lower case, the domain as a lower-case A-label.
// Two addresses that differ only in what people do not see as different (case,
// full-width letters of the domain) have one canonical form.
//
// Quoted local parts, comments, lists, display names, address literals, spaces
// and control characters are refused (RFC 5321 allows some of them; nobody has
// them, and attackers like them). It does not check that the domain exists.
func CanonicalEmail(address string) (string, error) {
	local, domain, found := strings.Cut(strings.Trim(address, " \t\r\n"), "@")
	if !found || !dotAtom(local) {
		return "", errEmail
	}
	if strings.Contains(domain, "@") || domain == "" || strings.HasSuffix(domain, ".") || !plainText(domain) {
		return "", errEmail
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", fmt.Errorf("%w: domain is not valid", errEmail)
	}
	canonical := strings.ToLower(local + "@" + ascii)
	if !dnsName(strings.ToLower(ascii)) || len(local) > 64 || len(canonical) > 254 {
		return "", errEmail
	}
	return canonical, nil
}

// canonicalOrNone is CanonicalEmail for users who may have no address: "" for "".
func canonicalOrNone(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	return CanonicalEmail(address)
}

// dotAtom reports whether s is an ASCII dot-atom (RFC 5322, section 3.2.3).
func dotAtom(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for _, r := range s {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alphanumeric && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r) {
			return false
		}
	}
	return true
}

// dnsName reports whether s is a sequence of host name labels. The Lookup
// profile lets some others through, such as empty ones.
func dnsName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
