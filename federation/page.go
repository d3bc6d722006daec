package federation

import (
	"fmt"
	"math"
)

// MaxAuthorizationURL is how many characters the address of an upstream's sign-in page may have.
// It stands in an answer's Location, and proxies refuse longer header blocks.
const MaxAuthorizationURL = 3200

// unknownMost is the room that the settings leave in an address for a part that is not
// known when they are checked: the redirect URI, or an endpoint of the discovery document.
const unknownMost = 500

// longest are the options with which the address of the sign-in page is the longest.
func longest(redirectURI string) Options {
	age := int64(math.MaxInt64)
	return Options{RedirectURI: redirectURI, Fresh: true, MaxAge: &age, AuthTime: true}
}

// checkPage refuses a connector whose longest address of the sign-in page, made by page,
// leaves no room for so many characters. ErrMisconfigured.
func (c *base) checkPage(redirectURI string, room int, page func(Attempt, Options) string) error {
	size := len(page(newAttempt(c.config.ID, "", Options{}, c.now()), longest(redirectURI)))
	if size+room <= MaxAuthorizationURL {
		return nil
	}
	return wrong(c.config, c.longestSetting(), fmt.Sprintf("makes the address of the sign-in page too long: it would have %d characters or more and may have %d, since proxies refuse longer answers "+
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

// checkSettings is checkPage for what the settings alone decide.
func (c *relyingParty) checkSettings() error {
	return c.checkPage("", 2*unknownMost, func(a Attempt, o Options) string { return c.authorizationURL(&metadata{}, a, o) })
}

// checkEndpoint is checkPage for the endpoint of a discovery document.
func (c *relyingParty) checkEndpoint(m *metadata, redirectURI string) error {
	return c.checkPage(redirectURI, 0, func(a Attempt, o Options) string { return c.authorizationURL(m, a, o) })
}
