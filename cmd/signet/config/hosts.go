package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"signet/federation/foreign"

	"golang.org/x/net/publicsuffix"
)

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// parseCookieDomain refuses what a browser would: a domain under which everybody
// can have a host.
func parseCookieDomain(text string) (string, error) {
	_, notAddress := netip.ParseAddr(text)
	switch suffix, _ := publicsuffix.PublicSuffix(text); {
	case !domainName.MatchString(text) || len(text) > 253:
		return "", errors.New("is not a domain: write it in lower case, without a dot at its beginning, a port or a path")
	case notAddress == nil:
		return "", errors.New("is an address, which has no hosts below it")
	case suffix == text:
		return "", fmt.Errorf("is %s, under which anybody can have a host: browsers refuse such cookies", text)
	}
	return text, foreign.CheckHost(text)
}

// parseOrigins wants each origin as a browser writes it, since it is compared so.
func parseOrigins(text string) ([]string, error) {
	origins := items(text)
	for _, origin := range origins {
		if err := CheckOrigin(origin); err != nil {
			return nil, fmt.Errorf("has %q, which %w", origin, err)
		}
	}
	return origins, nil
}

// CheckOrigin refuses what no browser would write as an origin, and plain http beside
// loopback hosts.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin):
		return errors.New("is not an origin: write scheme, host and port alone, in lower case, without a slash at the end")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	case u.Scheme == "http" && !foreign.IsLoopback(u.Hostname()):
		return errors.New("is http, which only loopback hosts may be: use https")
	}
	return foreign.CheckAuthority(u)
}

func parseAudience(text string) (string, error) {
	if text == "" || len(text) > 255 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("must be 1 to 255 characters of ASCII without spaces")
	}
	return text, nil
}
