package storage

import (
	"net/url"
	"slices"
	"strings"
)

// AllOrigins lists the web origins whose scripts may call the endpoints that allow cross-origin
// requests. These are the origins that an administrator entered and, for a single-page app,
// those of its redirect URIs.
func (c Client) AllOrigins() []string {
	origins := slices.Clone(c.Origins)
	if c.Type != SPA {
		return origins
	}
	for _, uri := range c.Metadata.RedirectURIs {
		if origin := OriginOf(uri); origin != "" && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// OriginOf returns the origin of an http or https URI as browsers write it, without the default
// port of the scheme; "" for any other URI. The host must be in lower case, as in all registered
// URIs.
func OriginOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.Scheme + "://" + strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
}

// RemembersConsent reports whether a consent may be stored for this redirect URI. Another app on
// the device can take over the ID, loopback port or scheme of a native client. Its user is
// therefore asked each time (RFC 8252, section 8.6).
func (c Client) RemembersConsent(redirectURI string) bool {
	return c.Type != Native || strings.HasPrefix(redirectURI, "https://")
}
