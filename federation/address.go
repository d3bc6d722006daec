package federation

import (
	"strings"

	"signet/federation/foreign"
)

// address reads one e-mail address, by the rules of foreign.SplitEmail. The domain comes
// back in its one form, the local part as it was; "" and "" for everything else.
func address(text string) (whole, domain string) {
	local, domain, err := foreign.SplitEmail(text)
	if err != nil || !reachable(domain) {
		return "", ""
	}
	return local + "@" + domain, domain
}

// canonicalDomain is the one form of a domain name that mail can reach; "" for any other
// text.
func canonicalDomain(domain string) string {
	if domain = foreign.CanonicalDomain(domain); !reachable(domain) {
		return ""
	}
	return domain
}

func reachable(domain string) bool { return strings.Contains(domain, ".") || domain == "localhost" }
