package directory

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/outbound"
	"signet/storage"
)

// checkForeignURLs applies the rules for URLs of strangers to a client that registers itself.
// An administrator may enter such URLs, so CheckClient does not have these rules. They apply to
// every field whose name says that it holds URLs. URLs that the field had before may stay.
func checkForeignURLs(before, c storage.Client, p RegistrationPolicy) []*ClientFieldError {
	var found []*ClientFieldError
	for _, f := range clientFields {
		if !f.registers || !strings.HasSuffix(f.Name, "_uri") && !strings.HasSuffix(f.Name, "_uris") {
			continue
		}
		old := urlsOf(f, before)
		for _, uri := range urlsOf(f, c) {
			if slices.Contains(old, uri) {
				continue
			}
			if err := p.checkForeignURL(f.Name, uri, c.Type); uri != "" && err != nil {
				found = append(found, newFieldError(f.Name, fmt.Errorf("%q %w", shortened(uri), err)))
			}
		}
	}
	return found
}

// urlsOf returns the URLs of a field.
func urlsOf(f ClientField, c storage.Client) []string {
	switch value := f.At(&c).(type) {
	case *string:
		return []string{*value}
	case *[]string:
		return *value
	}
	return nil
}

// isRedirect reports whether browsers, and not this server, are sent to the URLs of the field.
func isRedirect(field string) bool { return strings.HasSuffix(field, "redirect_uris") }

// checkForeignURL checks one URL of a stranger. The rules of all clients are checked elsewhere.
func (p RegistrationPolicy) checkForeignURL(field, uri string, t storage.ClientType) error {
	u, err := url.Parse(uri)
	if err != nil {
		return nil // CheckClient reports it
	}
	ofApp := t == storage.Native && isRedirect(field)
	switch host := u.Hostname(); {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil // the scheme of an app, see checkRedirectURI
	case ofApp && storage.IsLoopbackHost(host):
		return nil // RFC 8252, section 7.3
	case u.Scheme == "http":
		return errors.New("must be https")
	case p.isInternal(host, isRedirect(field)):
		return errors.New("names a host that is not on the public internet")
	}
	return nil
}

// internalNames are domains that are not in the public DNS (RFC 6761, 6762, 8375; ICANN for
// .internal).
var internalNames = []string{".internal", ".local", ".home.arpa", ".lan", ".intranet", ".corp", ".home"}

// isInternal reports whether the host is this machine or belongs to a private network. Browsers
// in a private network may be sent to its names, but this server must not call them. The address
// to which a name leads is checked when it is called, see package outbound.
func (p RegistrationPolicy) isInternal(host string, forBrowsers bool) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return !outbound.IsPublic(address, p.Networks...)
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if forBrowsers {
		return false
	}
	for _, name := range internalNames {
		if strings.HasSuffix(host, name) {
			return true
		}
	}
	return false
}

// checkHostname checks a host name or an address without a port, in the form of
// url.URL.Hostname.
func checkHostname(host string) error {
	if host != strings.ToLower(host) {
		return errors.New("must be in lower case")
	}
	return foreign.CheckHostname(host)
}

// redirectHosts are the hosts to which a client that registers itself may let browsers be
// redirected. The zero value allows every host.
type redirectHosts struct {
	limited bool
	hosts   []string // see hostOf
}

// limitTo returns the hosts of an initial access token. An empty list allows every host.
func limitTo(hosts []string) redirectHosts { return redirectHosts{len(hosts) > 0, hosts} }

// check checks every URI to which browsers are redirected after a sign-in or a sign-out.
func (h redirectHosts) check(c storage.Client) []*ClientFieldError {
	if !h.limited {
		return nil
	}
	var found []*ClientFieldError
	wrong := func(field, uri string) {
		if !slices.Contains(h.hosts, hostOf(uri)) {
			found = append(found, newFieldError(field, fmt.Errorf("%q has a host that the initial access token does not allow: use %s", shortened(uri), strings.Join(slices.Compact(slices.Sorted(slices.Values(h.hosts))), ", "))))
		}
	}
	for _, uri := range c.Metadata.RedirectURIs {
		wrong("redirect_uris", uri)
	}
	for _, uri := range c.Metadata.PostLogoutRedirectURIs {
		wrong("post_logout_redirect_uris", uri)
	}
	return found
}

// hostOf returns the host of a URI without its port. For an app on a device it is the scheme and
// a colon, which no host of a token is.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Hostname()
	}
	return u.Scheme + ":"
}
