package federation

import (
	"fmt"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// checkConfig refuses settings that are invalid for every kind, and returns the settings
// with canonical domains. ErrMisconfigured.
func checkConfig(c Config) (Config, error) {
	if err := CheckID(c.ID); err != nil {
		return c, misconfigured(c, "id", err.Error())
	}
	switch {
	case c.ClientID == "":
		return c, misconfigured(c, "client_id", "is missing")
	case c.Reauthenticates != nil && *c.Reauthenticates && !presets[c.Kind].supportsPromptLogin():
		return c, misconfigured(c, "reauthenticates", "cannot be true: this type of upstream does not support prompt=login")
	case c.Trust < Distrust || c.Trust > Authoritative:
		return c, misconfigured(c, "trust", "must be unknown, verifies or authoritative")
	}
	var err error
	if c.AllowedDomains, err = canonicalDomains(c, "allowed_domains", c.AllowedDomains); err != nil {
		return c, err
	}
	if !slices.Contains(c.Domains, "*") { // resolveTrust checks it
		if c.Domains, err = canonicalDomains(c, "domains", c.Domains); err != nil {
			return c, err
		}
	}
	for _, host := range c.Hosts {
		if err := foreign.CheckHostname(host); err != nil {
			return c, misconfigured(c, "hosts", fmt.Sprintf("holds %q, which %v", foreign.ForError(host), err))
		}
	}
	if err := checkNoUnusedSettings(c); err != nil {
		return c, err
	}
	return c, checkMapping(c)
}

// canonicalDomains returns the domains of a setting in canonical form. ErrMisconfigured.
func canonicalDomains(c Config, key string, list []string) ([]string, error) {
	domains := make([]string, len(list))
	for i, d := range list {
		if domains[i] = canonicalDomain(d); domains[i] == "" {
			return nil, misconfigured(c, key, fmt.Sprintf("holds %q, which is not a domain (example: %s: [example.com])", foreign.ForError(d), key))
		}
	}
	return domains, nil
}

// resolveTrust sets the trust of a connector, by default that of the kind, and refuses
// settings that contradict it. ErrMisconfigured.
func resolveTrust(c Config, preset Trust) (Config, error) {
	configured := c.Trust
	if configured == Unknown {
		c.Trust = preset
	}
	c.Trust = max(c.Trust, Unknown)
	if err := checkTrustedDomains(c, configured, preset); err != nil {
		return c, err
	}
	switch {
	case c.Trust == Unknown && c.Kind == Microsoft && len(c.AllowedDomains) > 0:
		return c, misconfigured(c, "allowed_domains", "would refuse everybody: with trust unknown, no address of this type counts as verified; set trust and domains "+trustExample+", or limit sign-ins by tenants")
	case c.Trust == Unknown && c.RequireEmail:
		return c, misconfigured(c, "require_email", "would refuse everybody: with trust unknown, no address of this upstream counts as verified; set trust (example: trust: verifies)")
	}
	return c, nil
}

const trustExample = "(example: trust: authoritative, domains: [example.com])"

// checkTrustedDomains checks the setting domains after c.Trust is resolved. configured is
// the trust in the settings, Unknown if it is not set.
func checkTrustedDomains(c Config, configured, preset Trust) error {
	switch {
	case configured != Unknown && c.Trust == Authoritative && len(c.Domains) == 0 && preset == Authoritative:
		return misconfigured(c, "domains", "is missing: trust: authoritative applies only to the listed domains "+trustExample+
			"; leave out trust and domains to trust it for gmail.com and its Workspace domains")
	case c.Trust == Authoritative && len(c.Domains) == 0 && preset != Authoritative:
		return misconfigured(c, "domains", "is missing: list the domains whose mailboxes the upstream runs "+trustExample)
	case c.Trust != Authoritative && len(c.Domains) > 0:
		return misconfigured(c, "domains", "is set, but only trust: authoritative uses domains: set both or neither "+trustExample)
	case slices.Contains(c.Domains, "*") && !isEveryDomain(c.Domains):
		return misconfigured(c, "domains", `has "*" and other domains: use "*" alone for every domain`)
	}
	return nil
}

// limitedSettings lists the settings that only some kinds of upstream use. Other kinds
// refuse such a setting, because it would do nothing.
var limitedSettings = []struct {
	key   string
	set   func(Config) bool
	kinds []Kind
}{
	{"base_url", func(c Config) bool { return c.BaseURL != "" }, []Kind{GitHub}},
	{"tenants", func(c Config) bool { return len(c.Tenants) > 0 }, []Kind{Microsoft}},
	{"team_id", func(c Config) bool { return c.TeamID != "" }, []Kind{Apple}},
	{"issuer", func(c Config) bool { return c.Issuer != "" }, openIDKinds},
	{"hosts", func(c Config) bool { return len(c.Hosts) > 0 }, openIDKinds},
	{"algorithms", func(c Config) bool { return len(c.Algorithms) > 0 }, openIDKinds},
	{"client_key", func(c Config) bool { return c.ClientKey.Reveal() != "" }, clientKeyKinds},
	{"client_key_id", func(c Config) bool { return c.ClientKeyID != "" }, clientKeyKinds},
	{"client_auth", func(c Config) bool { return c.ClientAuth != "" }, []Kind{Google, OIDC, Microsoft, GitLab}}, // the others support one method only
}

// openIDKinds lists the kinds that speak OpenID Connect. GitHub speaks only OAuth.
var openIDKinds = []Kind{Google, OIDC, Microsoft, Apple, GitLab}

// clientKeyKinds lists the kinds that accept a client assertion signed by our key, or, for
// Apple, a client secret that our key signs.
var clientKeyKinds = []Kind{OIDC, Microsoft, Apple, GitLab}

// checkNoUnusedSettings refuses settings that the connector would not use. ErrMisconfigured.
func checkNoUnusedSettings(c Config) error {
	for _, option := range limitedSettings {
		if option.set(c) && !slices.Contains(option.kinds, c.Kind) {
			return misconfigured(c, option.key, fmt.Sprintf("is set and does nothing with type %s: remove it (it is for %s)", c.Kind, joinKinds(option.kinds)))
		}
	}
	switch {
	case c.ClientKeyID != "" && c.ClientKey.Reveal() == "":
		return misconfigured(c, "client_key_id", "names a key, but client_key is missing: set both or neither")
	case c.Kind != Apple && c.ClientKey.Reveal() != "" && c.ClientAuth != "" && c.ClientAuth != privateKeyJWT:
		return misconfigured(c, "client_key", "is set, but client_auth "+c.ClientAuth+" does not use it: remove one of them")
	}
	return nil
}

func joinKinds(kinds []Kind) string {
	var names []string
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}
