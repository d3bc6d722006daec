package federation

import (
	"strings"

	"golang.org/x/net/idna"
)

// address reads one e-mail address: an ASCII dot-atom, @, a domain. The domain
// comes back as a lower-case A-label, the local part as it was. "" and "" for
// everything else: quoted local parts, comments, lists, display names, address
// literals, spaces, control characters, a second @.
//
// The upstream may allow some of them. A rule on domains must never be met by a
// text that two readers split at different places.
func address(text string) (whole, domain string) {
	local, domain, found := strings.Cut(text, "@")
	if !found || !dotAtom(local) || len(local) > 64 || strings.HasSuffix(domain, ".") || strings.ContainsAny(domain, "@ \t\r\n\x00") {
		return "", ""
	}
	domain = canonicalDomain(domain)
	if domain == "" || len(local)+1+len(domain) > 254 {
		return "", ""
	}
	return local + "@" + domain, domain
}

// canonicalDomain is the one form of a domain name; "" if it is none.
func canonicalDomain(domain string) string {
	ascii, err := idna.Lookup.ToASCII(domain)
	ascii = strings.ToLower(ascii)
	if err != nil || !strings.Contains(ascii, ".") && ascii != "localhost" {
		return ""
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return ""
		}
	}
	return ascii
}

// dotAtom reports whether s is an ASCII dot-atom (RFC 5322, section 3.2.3).
func dotAtom(s string) bool {
	if s == "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alphanumeric && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
	})
}
