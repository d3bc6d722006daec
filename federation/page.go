package federation

import (
	"fmt"
	"math"
)

// MaxAuthorizationURL is how many characters the address of an upstream's sign-in page may have.
// It stands in an answer's Location, and proxies refuse longer header blocks.
const MaxAuthorizationURL = 3200

// reservedLength is the room that the settings leave in an address for a part that is not
// known when they are checked: the redirect URI, or an endpoint of the discovery document.
const reservedLength = 500

// longestOptions are the options with which the address of the sign-in page is the longest.
func longestOptions(redirectURI string) Options {
	age := int64(math.MaxInt64)
	return Options{RedirectURI: redirectURI, Fresh: true, MaxAge: &age, AuthTime: true}
}

// checkURLLength refuses a connector whose longest address of the sign-in page, made by page,
// leaves no room for so many characters. ErrMisconfigured.
func (c *base) checkURLLength(redirectURI string, room int, page func(Attempt, Options) string) error {
	size := len(page(newAttempt(c.config.ID, "", Options{}, c.now()), longestOptions(redirectURI)))
	if size+room <= MaxAuthorizationURL {
		return nil
	}
	return misconfigured(c.config, c.longestSetting(), fmt.Sprintf("makes the address of the sign-in page too long: it would have %d characters or more and may have %d, since proxies refuse longer answers "+
		"(name fewer scopes; or the upstream's authorization endpoint and client id are too long)", size+room, MaxAuthorizationURL))
}

// longestSetting is the key of the setting that has the largest share of the address.
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

// checkSettingsURL is checkPage for what the settings alone decide.
func (c *relyingParty) checkSettingsURL() error {
	return c.checkURLLength("", 2*reservedLength, func(a Attempt, o Options) string { return c.authorizationURL(&metadata{}, a, o) })
}

// checkEndpointURL is checkPage for the endpoint of a discovery document.
func (c *relyingParty) checkEndpointURL(m *metadata, redirectURI string) error {
	return c.checkURLLength(redirectURI, 0, func(a Attempt, o Options) string { return c.authorizationURL(m, a, o) })
}
