package foreign

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrEmail is why a text is no e-mail address. It never names the text.
var ErrEmail = errors.New("not an e-mail address")

// SplitEmail reads one e-mail address: an ASCII dot-atom, @, a domain. It gives the local
// part as it was and the domain as CanonicalDomain does.
//
// Quoted local parts, comments, lists, display names, address literals, spaces, control
// characters and a second @ are refused (RFC 5321 allows some of them; nobody has them,
// and attackers like them): a rule on domains must never be met by a text that two
// readers split at different places. It does not check that the domain exists. ErrEmail.
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

// CanonicalDomain gives the one form of a domain name, its labels as lower-case A-labels;
// "" for a text that is no domain name.
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

// isDNSName reports whether s is a sequence of host name labels. The Lookup profile of
// idna lets some others through, such as empty ones.
func isDNSName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
