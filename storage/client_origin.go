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
		u, err := url.Parse(uri)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			continue
		}
		if origin := u.Scheme + "://" + u.Host; !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// RemembersConsent reports whether a consent may be stored for this redirect URI. Another app on
// the device can take over the ID, loopback port or scheme of a native client. Its user is
// therefore asked each time (RFC 8252, section 8.6).
func (c Client) RemembersConsent(redirectURI string) bool {
	return c.Type != Native || strings.HasPrefix(redirectURI, "https://")
}
