package directory

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

func checkRedirectURIs(c storage.Client, wrong report) {
	uris := c.Metadata.RedirectURIs
	for _, uri := range uris {
		if err := checkRedirectURI(uri, c.Type); err != nil {
			wrong("%q %w", shortened(uri), err)
		} else if name := responseParameter(uri); name != "" {
			// RFC 6749, section 3.1.2: the client would see the parameter twice.
			wrong("%q has the query parameter %s, which the answer itself may carry", shortened(uri), name)
		}
	}
	checkCount(uris, wrong)
}

func checkRedirectURIsOfGrants(c storage.Client, wrong report) {
	given, needs := len(c.Metadata.RedirectURIs) > 0, slices.Contains(c.Metadata.GrantTypes, storage.GrantCode)
	switch {
	case needs && !given:
		wrong("is empty: the authorization code must have somewhere to go")
	case !needs && given:
		wrong("must be empty: this client never asks for an authorization code")
	}
}

func checkPostLogoutRedirectURIs(c storage.Client, wrong report) {
	for _, uri := range c.Metadata.PostLogoutRedirectURIs {
		if err := checkRedirectURI(uri, c.Type); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
	checkCount(c.Metadata.PostLogoutRedirectURIs, wrong)
}

func checkOrigins(c storage.Client, wrong report) {
	for _, origin := range c.Origins {
		if err := checkOrigin(origin); err != nil {
			wrong("%q %w", shortened(origin), err)
		}
	}
}

// link is the rule of a field that holds one address of the web, or none.
func link(uri func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if uri := uri(c.Metadata); uri == "" {
			return
		} else if err := checkRedirectURI(uri, storage.Web); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
}

// shownLink is the rule of an address that pages link to, which they do by https alone.
func shownLink(uri func(storage.ClientMetadata) string) func(storage.Client, report) {
	anyLink := link(uri)
	return func(c storage.Client, wrong report) {
		if uri := uri(c.Metadata); strings.HasPrefix(uri, "http://") {
			wrong("%q must be https: people are shown it", shortened(uri))
		} else {
			anyLink(c, wrong)
		}
	}
}

// resources is the rule of a field that holds identifiers of APIs.
func resources(list func(storage.Client) []string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		checkCount(list(c), wrong)
		for _, uri := range list(c) {
			if err := checkResourceURI(uri); err != nil {
				wrong("%q %w", shortened(uri), err)
			}
		}
	}
}

// checkRedirectURI says why a browser may not be sent to uri for a client of that type.
func checkRedirectURI(uri string, t storage.ClientType) error {
	u, err := url.Parse(uri)
	switch {
	case len(uri) > storage.MaxURI:
		return fmt.Errorf("has more than %d characters", storage.MaxURI)
	case !plainASCII(uri):
		return errors.New("has spaces, control characters, a backslash or letters outside ASCII: escape them")
	case err != nil || !u.IsAbs():
		return errors.New("is not an absolute URI")
	case storage.IsBrowserScheme(u.Scheme):
		return fmt.Errorf("has the scheme %s, which a browser runs itself", u.Scheme)
	case strings.Contains(uri, "#"):
		return errors.New("has a fragment (RFC 6749, section 3.1.2)")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return errors.New("holds a user name or password")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return errors.New("must have its scheme in lower case")
	case u.Scheme == "https" || u.Scheme == "http":
		return checkWebURI(u)
	case t != storage.Native:
		return errors.New("must be https (http only on a loopback host)")
	case !strings.Contains(u.Scheme, "."), strings.Contains(u.Scheme+".", ".."):
		// RFC 8252, section 7.1: a scheme without a domain in it belongs to everybody.
		return errors.New("must have a scheme in reverse domain form, such as com.example.app:/callback")
	}
	return nil
}

// checkResourceURI says why uri names no API (RFC 8707, section 2). Any scheme will do; one
// of the web has a host as redirect URIs have it, so that a client may compare it parsed.
func checkResourceURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || strings.Contains(uri, "#") || !plainASCII(uri) || len(uri) > storage.MaxURI {
		return errors.New("is not an absolute URI without a fragment")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	if u.User != nil {
		return errors.New("holds a user name or password")
	}
	return foreign.CheckAuthority(u)
}

// checkWebURI says why u is no URI of the web that browsers and this program read alike.
func checkWebURI(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("has no host")
	case u.Host != strings.ToLower(u.Host):
		return errors.New("must have its host in lower case")
	case strings.ContainsAny(u.Host, "*%"):
		return errors.New("has a pattern or an escape in its host: name every host by itself")
	case u.Scheme == "http" && !storage.IsLoopbackHost(u.Hostname()):
		return errors.New("must be https: http is for localhost, 127.0.0.1 and [::1] only")
	}
	if err := foreign.CheckAuthority(u); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // unescaped, so %2e%2e is seen as well
		if segment == "." || segment == ".." {
			return errors.New("has a dotted path segment, which browsers rewrite")
		}
	}
	return nil
}

// plainASCII reports whether s has only what RFC 3986 lets into a URI.
func plainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) })
}

// responseParameter gives the first query parameter of uri that an authorization
// response may carry itself, or "".
func responseParameter(uri string) string {
	_, query, _ := strings.Cut(uri, "?")
	parsed, err := url.ParseQuery(query)
	if err != nil {
		return "that cannot be read"
	}
	for _, name := range []string{
		"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state",
		"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token",
	} {
		if parsed.Has(name) {
			return name
		}
	}
	return ""
}

// checkOrigin says why a string is not what a browser sends as Origin.
func checkOrigin(origin string) error {
	if err := checkRedirectURI(origin, storage.Web); err != nil {
		return err
	}
	if u, err := url.Parse(origin); err != nil || u.Scheme+"://"+u.Host != origin {
		return errors.New("must be scheme, host and port alone, without a slash at its end")
	}
	return nil
}
