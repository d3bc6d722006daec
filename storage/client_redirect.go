package storage

import (
	"slices"
	"strconv"
	"strings"
)

// MaxURI is the longest URI of a client, in bytes. Some browsers and proxies do not accept
// longer ones.
const MaxURI = 2000

// AllowsRedirect reports whether an authorization response may be sent to uri. uri must equal a
// registered redirect URI byte for byte (RFC 9700, section 2.1). For an http loopback literal of
// a native client, any port is allowed, because the application learns its port only when it
// starts (RFC 8252, section 7.3).
func (c Client) AllowsRedirect(uri string) bool { return c.allows(c.Metadata.RedirectURIs, uri) }

// AllowsPostLogoutRedirect reports whether a browser may be redirected to uri after sign-out
// (OIDC RP-Initiated Logout, section 3). It compares as AllowsRedirect does.
func (c Client) AllowsPostLogoutRedirect(uri string) bool {
	return c.allows(c.Metadata.PostLogoutRedirectURIs, uri)
}

func (c Client) allows(registered []string, uri string) bool {
	// Checked at each use, because the row may be older than the rule.
	if scheme, _, ok := strings.Cut(uri, ":"); !ok || IsBrowserScheme(scheme) || len(uri) > MaxURI {
		return false
	}
	if slices.Contains(registered, uri) {
		return true
	}
	if c.Type != Native {
		return false
	}
	host, rest, ok := loopback(uri)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		h, tail, ok := loopback(r)
		return ok && h == host && tail == rest
	})
}

// loopbackHosts are the hosts that a redirect URI may have over http for a program on the
// person's own machine (RFC 8252, section 7.3). Only these literals are allowed: a browser may
// read another spelling of the same address differently.
var loopbackHosts = []string{"127.0.0.1", "[::1]", "localhost"}

// IsLoopbackHost reports whether redirect URIs with that host may use http. hostname has the
// form of url.URL.Hostname.
func IsLoopbackHost(hostname string) bool {
	if strings.Contains(hostname, ":") {
		hostname = "[" + hostname + "]"
	}
	return slices.Contains(loopbackHosts, hostname)
}

// loopback splits an http URI with a loopback literal into its host and the part after the port.
// It compares bytes, because all of the URI except the port must equal the registered one.
func loopback(uri string) (host, rest string, ok bool) {
	for _, host := range loopbackHosts {
		rest, found := strings.CutPrefix(uri, "http://"+host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			rest = strings.TrimLeft(port, "0123456789")
			if !isPort(port[:len(port)-len(rest)]) {
				return "", "", false
			}
		}
		return host, rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", "", false
}

func isPort(digits string) bool {
	n, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && n > 0 && digits[0] != '0'
}

// IsBrowserScheme reports whether browsers themselves handle that scheme, by running or opening
// something, instead of starting an application. Upper and lower case are equal.
func IsBrowserScheme(scheme string) bool {
	return slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"}, strings.ToLower(scheme))
}
