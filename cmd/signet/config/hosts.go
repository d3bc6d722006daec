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

// parseCookieDomain parses a cookie domain. It refuses public suffixes, as browsers do:
// anybody can register a host below them.
func parseCookieDomain(text string) (string, error) {
	return parseDomain(text, "browsers refuse such cookies")
}

// parseRPID parses an RP ID. It refuses public suffixes, as browsers do (HTML, registrable domain
// suffix).
func parseRPID(text string) (string, error) {
	return parseDomain(text, "browsers refuse such an RP ID")
}

// parseDomain parses a domain below which one owner has all hosts. consequence says why it must not
// be a public suffix.
func parseDomain(text, consequence string) (string, error) {
	_, notAddress := netip.ParseAddr(text)
	switch suffix, _ := publicsuffix.PublicSuffix(text); {
	case !domainName.MatchString(text) || len(text) > 253:
		return "", errors.New("is not a domain: write it in lower case, without a leading dot, a port or a path")
	case notAddress == nil:
		return "", errors.New("is an IP address: use a domain")
	case suffix == text:
		return "", fmt.Errorf("is %s, which is a public suffix: %s", text, consequence)
	}
	return text, foreign.CheckHost(text)
}

// parseOrigins parses a list of origins. Each must be written as browsers send it, because
// origins are compared as text.
func parseOrigins(text string) ([]string, error) {
	origins := splitList(text)
	for _, origin := range origins {
		if err := CheckOrigin(origin); err != nil {
			return nil, fmt.Errorf("contains %q, which %w", origin, err)
		}
	}
	return origins, nil
}

// CheckOrigin returns an error unless origin is written as browsers send it. It allows plain
// http only for loopback hosts.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin):
		return errors.New("is not an origin: write only scheme, host and port, in lower case, without a slash at the end")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https://")
	case u.Scheme == "http" && !foreign.IsLoopback(u.Hostname()):
		return errors.New("is plain http, which is only allowed for loopback hosts: use https")
	}
	return foreign.CheckAuthority(u)
}

func parseAudience(text string) (string, error) {
	if text == "" || len(text) > 255 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("must be 1 to 255 ASCII characters without spaces")
	}
	return text, nil
}
