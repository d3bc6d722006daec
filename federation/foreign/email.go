package foreign

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrEmail: the text is not an email address. The error does not contain the text.
var ErrEmail = errors.New("not an email address")

// SplitEmail reads one email address: an ASCII dot-atom, @, a domain. It returns the local
// part unchanged and the domain in the form of CanonicalDomain.
//
// It refuses quoted local parts, comments, lists, display names, address literals, spaces,
// control characters and a second @. RFC 5321 allows some of them, but real addresses do not
// have them, and programs split such texts at different places: an attacker could use this to
// pass a rule on domains. SplitEmail does not check that the domain exists. ErrEmail.
func SplitEmail(text string) (local, domain string, err error) {
	local, domain, found := strings.Cut(text, "@")
	if !found || !isDotAtom(local) || len(local) > 64 {
		return "", "", ErrEmail
	}
	if domain == "" || strings.Contains(domain, "@") || strings.HasSuffix(domain, ".") || !utf8.ValidString(domain) {
		return "", "", ErrEmail
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", "", fmt.Errorf("%w: domain is not valid", ErrEmail)
	}
	ascii = strings.ToLower(ascii)
	if !isDNSName(ascii) || len(local)+1+len(ascii) > 254 { // RFC 5321, section 4.5.3.1.3
		return "", "", ErrEmail
	}
	return local, ascii, nil
}

// CanonicalDomain returns a domain name with its labels as lower-case A-labels; "" if the
// text is not a domain name.
func CanonicalDomain(domain string) string {
	ascii, err := idna.Lookup.ToASCII(domain)
	if ascii = strings.ToLower(ascii); err != nil || !isDNSName(ascii) {
		return ""
	}
	return ascii
}

// isDotAtom reports whether s is an ASCII dot-atom (RFC 5322, section 3.2.3).
func isDotAtom(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alphanumeric && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
	})
}

// isDNSName reports whether s is a sequence of host name labels. It is needed because the
// Lookup profile of idna accepts other labels, such as empty ones.
func isDNSName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
