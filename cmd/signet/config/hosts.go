package main

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
		if err := checkOrigin(origin); err != nil {
			return nil, fmt.Errorf("has %q, which %w", origin, err)
		}
	}
	return origins, nil
}

func checkOrigin(origin string) error {
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

// compareFirstParty checks what depends on the issuer.
func (r *reader) compareFirstParty() {
	c := r.config
	if c.Issuer == "" {
		return // said elsewhere, or not needed by this command
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return
	}
	if host := issuer.Hostname(); c.CookieDomain != "" && host != c.CookieDomain && !strings.HasSuffix(host, "."+c.CookieDomain) {
		r.complain(r.given["cookie_domain"].place, "cookie_domain", "is %s, but the issuer's host is %s: browsers take a cookie only for a domain that its host is in; name one, or leave the setting away", c.CookieDomain, host)
	}
	if c.FirstParty.Audience == c.Issuer {
		r.complain(r.given["first_party.audience"].place, "first_party.audience", "is the issuer, so that the app's tokens would be good for Signet itself: name the app's API, or leave the setting away")
	}
}
