package federation

import (
	"net/url"
	"strings"
)

// completeAppleSettings checks the settings that Apple's client secret is made from.
func completeAppleSettings(c *relyingParty) error {
	switch {
	case c.config.ClientKey.Reveal() == "":
		return misconfigured(c.config, "client_key", "is missing: Apple's client secret is a token that this key signs")
	case c.config.ClientKeyID == "" || c.config.TeamID == "":
		return misconfigured(c.config, "client_key_id or team_id", "is missing")
	}
	key, err := readKey(c.config.ClientKey)
	if err != nil {
		return misconfigured(c.config, "client_key", err.Error())
	}
	if alg, _ := algorithmOf(key); alg != "ES256" {
		return misconfigured(c.config, "client_key", "is not a P-256 key: use the key file (.p8) from Apple")
	}
	c.config.ClientAuth = secretPost
	return nil
}

// completeAppleIdentity reads the name from the JSON in the parameter user of the callback.
// Apple sends this parameter only at the first sign-in. The person can change it in the
// browser, so only the name is taken from it, never the email address. If the parameter
// cannot be read, the sign-in goes on without a name: a refusal would not help, because Apple
// never sends the parameter again.
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
