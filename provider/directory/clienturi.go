package directory

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

func checkRedirectURIs(c storage.Client, wrong report) {
	uris := c.Metadata.RedirectURIs
	for _, uri := range uris {
		if err := checkRedirectURI(uri, c.Type); err != nil {
			wrong("%q %w", shortened(uri), err)
		} else if err := checkRedirectQuery(uri); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
	checkCount(uris, wrong)
}

func checkRedirectURIsOfGrants(c storage.Client, wrong report) {
	hasURIs, needsURIs := len(c.Metadata.RedirectURIs) > 0, usesAuthorize(c)
	switch {
	case needsURIs && !hasURIs:
		wrong("is empty: add the URI to which authorization responses are sent")
	case !needsURIs && hasURIs:
		wrong("must be empty: this client cannot send authorization requests")
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

// link returns the rule of a field with one web address, which may be empty.
func link(uri func(storage.ClientMetadata) string) func(storage.Client, report) {
	return func(c storage.Client, wrong report) {
		if uri := uri(c.Metadata); uri == "" {
			return
		} else if err := checkRedirectURI(uri, storage.Web); err != nil {
			wrong("%q %w", shortened(uri), err)
		}
	}
}

// shownLink returns the rule of a web address to which pages link. It must be https.
func shownLink(uri func(storage.ClientMetadata) string) func(storage.Client, report) {
	anyLink := link(uri)
	return func(c storage.Client, wrong report) {
		if uri := uri(c.Metadata); strings.HasPrefix(uri, "http://") {
			wrong("%q must be https: pages link to it", shortened(uri))
		} else {
			anyLink(c, wrong)
		}
	}
}

// resources returns the rule of a field with identifiers of APIs.
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

// checkRedirectURI checks that a client of this type may register uri as a redirect URI.
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
		return fmt.Errorf("has the scheme %s, which browsers open themselves: use https", u.Scheme)
	case strings.Contains(uri, "#"):
		return errors.New("has a fragment (RFC 6749, section 3.1.2): remove it")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return errors.New("contains a user name or password: remove it")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return errors.New("must have its scheme in lower case")
	case u.Scheme == "https" || u.Scheme == "http":
		return checkWebURI(u)
	case t != storage.Native:
		return errors.New("must be https (http only on a loopback host)")
	case !strings.Contains(u.Scheme, "."), strings.Contains(u.Scheme+".", ".."):
		// RFC 8252, section 7.1: any app can register a scheme without a domain in it.
		return errors.New("must have a scheme in reverse domain form, such as com.example.app:/callback")
	}
	return nil
}

// checkResourceURI checks the identifier of an API (RFC 8707, section 2). All schemes are
// allowed. The host of an http or https URI must be valid as in redirect URIs, so that
// clients can compare parsed URIs.
func checkResourceURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || !u.IsAbs() || strings.Contains(uri, "#") || !plainASCII(uri) || len(uri) > storage.MaxURI {
		return errors.New("is not an absolute URI without a fragment")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	if u.User != nil {
		return errors.New("contains a user name or password: remove it")
	}
	return foreign.CheckAuthority(u)
}

// checkWebURI checks that browsers and this program read the http or https URI u in the same
// way.
func checkWebURI(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("has no host")
	case u.Host != strings.ToLower(u.Host):
		return errors.New("must have its host in lower case")
	case strings.ContainsAny(u.Host, "*%"):
		return errors.New("has a pattern or an escape in its host: list every host")
	case u.Scheme == "http" && !storage.IsLoopbackHost(u.Hostname()):
		return errors.New("must be https: http is for localhost, 127.0.0.1 and [::1] only")
	}
	if err := foreign.CheckAuthority(u); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // Path is unescaped, so this also finds %2e%2e
		if segment == "." || segment == ".." {
			return errors.New("has a dotted path segment, which browsers rewrite")
		}
	}
	return nil
}

// plainASCII reports whether s has only characters that RFC 3986 allows in a URI.
func plainASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) })
}

// checkRedirectQuery checks that the query of uri has no parameter of an authorization
// response: otherwise the client would get it twice (RFC 6749, section 3.1.2).
func checkRedirectQuery(uri string) error {
	_, query, _ := strings.Cut(uri, "?")
	parsed, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("has an invalid query: check its escapes")
	}
	for _, name := range []string{
		"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state",
		"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token",
	} {
		if parsed.Has(name) {
			return fmt.Errorf("has the query parameter %s, which the authorization response may contain: use another name", name)
		}
	}
	return nil
}

// checkOrigin checks that origin has the form of an Origin header of browsers.
func checkOrigin(origin string) error {
	if err := checkRedirectURI(origin, storage.Web); err != nil {
		return err
	}
	if u, err := url.Parse(origin); err != nil || u.Scheme+"://"+u.Host != origin {
		return errors.New("must be only scheme, host and port, without a slash at the end")
	}
	return nil
}
