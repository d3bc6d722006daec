package federation

import (
	"fmt"
	"math"
)

// MaxAuthorizationURL is the largest length of the URL of an upstream's sign-in page, in
// characters. The URL is sent in the header Location, and proxies refuse larger headers.
const MaxAuthorizationURL = 3200

// reservedLength is the length, in characters, that is reserved for a part of the URL that is
// unknown when the settings are checked: the redirect URI, or an endpoint of the discovery
// document.
const reservedLength = 500

// longestOptions returns the options that make the URL of the sign-in page longest.
func longestOptions(redirectURI string) Options {
	age := int64(math.MaxInt64)
	return Options{RedirectURI: redirectURI, Fresh: true, MaxAge: &age, AuthTime: true}
}

// checkURLLength checks the length of the longest URL of the sign-in page. makeURL makes the
// URL; reserved is the number of characters that must stay free. ErrMisconfigured.
func (c *base) checkURLLength(redirectURI string, reserved int, makeURL func(Attempt, Options) string) error {
	size := len(makeURL(newAttempt(c.config.ID, "", Options{}, c.now()), longestOptions(redirectURI)))
	if size+reserved <= MaxAuthorizationURL {
		return nil
	}
	return misconfigured(c.config, c.longestSetting(), fmt.Sprintf("makes the URL of the sign-in page too long: %d characters, at most %d are allowed, because proxies refuse longer headers; "+
		"list fewer scopes, or use a shorter client_id or authorization endpoint", size+reserved, MaxAuthorizationURL))
}

// longestSetting returns the key of the setting that has the largest share of the URL.
func (c *base) longestSetting() string {
	key, most := "scopes", 0
	for _, scope := range c.config.Scopes {
		most += len(scope) + 1
	}
	for _, s := range []struct{ key, value string }{{"client_id", c.config.ClientID}, {"base_url", c.config.BaseURL}} {
		if len(s.value) > most {
			key, most = s.key, len(s.value)
		}
	}
	return key
}

// checkSettingsURL is checkURLLength for the settings, when the endpoint is still unknown.
func (c *relyingParty) checkSettingsURL() error {
	return c.checkURLLength("", 2*reservedLength, func(a Attempt, o Options) string { return c.authorizationURL(&metadata{}, a, o) })
}

// checkEndpointURL is checkURLLength with the endpoint of a discovery document.
func (c *relyingParty) checkEndpointURL(m *metadata, redirectURI string) error {
	return c.checkURLLength(redirectURI, 0, func(a Attempt, o Options) string { return c.authorizationURL(m, a, o) })
}
