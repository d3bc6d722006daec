package storage

import (
	"slices"
	"strconv"
	"strings"
)

// MaxURI is the most bytes that a URI of a client may have: longer ones do not survive
// every browser and proxy.
const MaxURI = 2000

// AllowsRedirect reports whether an authorization response may go to uri: it must
// equal a registered redirect URI byte for byte (RFC 9700, section 2.1). Of a
// native client's http loopback literal the port may be any, since the
// application learns it when it starts (RFC 8252, section 7.3).
func (c Client) AllowsRedirect(uri string) bool { return c.allows(c.Metadata.RedirectURIs, uri) }

// AllowsPostLogoutRedirect reports whether a browser may be sent to uri after it
// signed out (OIDC RP-Initiated Logout, section 3), by the same comparison.
func (c Client) AllowsPostLogoutRedirect(uri string) bool {
	return c.allows(c.Metadata.PostLogoutRedirectURIs, uri)
}

func (c Client) allows(registered []string, uri string) bool {
	// Asked again at use: a row may be older than the rule.
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

// loopbackHosts are the hosts that the redirect URI of a program on the person's own
// machine may have over http (RFC 8252, section 7.3). They are literals: another spelling
// of the same address may be read differently by a browser.
var loopbackHosts = []string{"127.0.0.1", "[::1]", "localhost"}

// IsLoopbackHost reports whether redirect URIs may have that host over http. It takes the
// host as url.URL.Hostname gives it.
func IsLoopbackHost(hostname string) bool {
	if strings.Contains(hostname, ":") {
		hostname = "[" + hostname + "]"
	}
	return slices.Contains(loopbackHosts, hostname)
}

// loopback splits an http URI whose host is a loopback literal around its port,
// by bytes: what was registered must come back as it was, but for the port.
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

// IsBrowserScheme reports whether a browser runs or opens something of its own for that
// scheme, in any case of its letters, instead of asking an application.
func IsBrowserScheme(scheme string) bool {
	return slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"}, strings.ToLower(scheme))
}
