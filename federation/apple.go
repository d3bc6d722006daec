package federation

import (
	"net/url"
	"strings"
)

// completeAppleSettings wants what Apple's client secret is made of.
func completeAppleSettings(c *relyingParty) error {
	switch {
	case c.config.ClientKey.Reveal() == "":
		return misconfigured(c.config, "client_key", "is missing: Apple's client secret is made of it")
	case c.config.ClientKeyID == "" || c.config.TeamID == "":
		return misconfigured(c.config, "client_key_id or team_id", "is missing")
	}
	key, err := readKey(c.config.ClientKey)
	if err != nil {
		return misconfigured(c.config, "client_key", err.Error())
	}
	if alg, _ := algorithmOf(key); alg != "ES256" {
		return misconfigured(c.config, "client_key", "is not a P-256 key")
	}
	c.config.ClientAuth = secretPost
	return nil
}

// completeAppleIdentity takes the name from the form that the browser brings the first time
// (user, JSON). The browser's user could have written anything there: it is good
// for a name, and the address in it is left alone. One that cannot be read costs the name
// and not the sign-in, since Apple never sends it again.
func completeAppleIdentity(_ *relyingParty, _ object, callback url.Values, i *Identity) error {
	if callback.Get("user") == "" {
		return nil
	}
	form, err := readObject([]byte(callback.Get("user")))
	if err != nil {
		i.ProfileError = atStep("read user of the callback", err)
		return nil
	}
	name := form.optionalObject("name")
	if given, family := name.optionalText("firstName"), name.optionalText("lastName"); given+family != "" {
		i.GivenName, i.FamilyName, i.Name = given, family, strings.TrimSpace(given+" "+family)
	}
	return nil
}
