package federation

import (
	"fmt"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// checkConfig refuses what no kind can work with, and puts domains into one form.
func checkConfig(c Config) (Config, error) {
	if err := CheckID(c.ID); err != nil {
		return c, misconfigured(c, "id", err.Error())
	}
	switch {
	case c.ClientID == "":
		return c, misconfigured(c, "client_id", "is missing")
	case c.Reauthenticates != nil && *c.Reauthenticates && !presets[c.Kind].supportsPromptLogin():
		return c, misconfigured(c, "reauthenticates", "cannot be true: this type of upstream does not know prompt=login")
	case c.Trust < Distrust || c.Trust > Authoritative:
		return c, misconfigured(c, "trust", "must be unknown, verifies or authoritative")
	}
	var err error
	if c.AllowedDomains, err = canonicalDomains(c, "allowed_domains", c.AllowedDomains); err != nil {
		return c, err
	}
	if !slices.Contains(c.Domains, "*") { // judged by trusting
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

// canonicalDomains puts a setting's domains into one form.
func canonicalDomains(c Config, key string, list []string) ([]string, error) {
	domains := make([]string, len(list))
	for i, d := range list {
		if domains[i] = canonicalDomain(d); domains[i] == "" {
			return nil, misconfigured(c, key, fmt.Sprintf("holds %q, which is no domain (example: %s: [example.com])", foreign.ForError(d), key))
		}
	}
	return domains, nil
}

// resolveTrust settles the trust of a connector, the kind's where the settings name none,
// and refuses settings that contradict it.
func resolveTrust(c Config, preset Trust) (Config, error) {
	said := c.Trust
	if said == Unknown {
		c.Trust = preset
	}
	c.Trust = max(c.Trust, Unknown)
	if err := checkTrustedDomains(c, said, preset); err != nil {
		return c, err
	}
	switch {
	case c.Trust == Unknown && c.Kind == Microsoft && len(c.AllowedDomains) > 0:
		return c, misconfigured(c, "allowed_domains", "would refuse everybody: trust is unknown, and no address of this type then counts as verified "+trustExample+"; tenants limit who may sign in")
	case c.Trust == Unknown && c.RequireEmail:
		return c, misconfigured(c, "require_email", "would refuse everybody: trust is unknown, so no address of this upstream counts as verified (example: trust: verifies)")
	}
	return c, nil
}

const trustExample = "(example: trust: authoritative, domains: [example.com])"

// checkTrustedDomains judges the setting domains of a connector whose trust is settled.
// said is the trust that the settings name, Unknown for none.
func checkTrustedDomains(c Config, said, preset Trust) error {
	switch {
	case said != Unknown && c.Trust == Authoritative && len(c.Domains) == 0 && preset == Authoritative:
		return misconfigured(c, "domains", "is missing: trust: authoritative counts only for the domains that it names "+trustExample+
			"; without trust and domains the connector is authoritative for gmail.com and for its Workspace domains")
	case c.Trust == Authoritative && len(c.Domains) == 0 && preset != Authoritative:
		return misconfigured(c, "domains", "is missing: trust: authoritative counts only for the domains whose mailboxes the upstream runs "+trustExample)
	case c.Trust != Authoritative && len(c.Domains) > 0:
		return misconfigured(c, "domains", "is set, and only trust: authoritative has domains: set both or neither "+trustExample)
	case slices.Contains(c.Domains, "*") && !isEveryDomain(c.Domains):
		return misconfigured(c, "domains", `has "*" beside other domains: "*" alone means every domain`)
	}
	return nil
}

// limitedSettings says of each setting that not every type of upstream uses which ones do. Such a
// setting is refused elsewhere: it would be read and do nothing.
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
	{"client_auth", func(c Config) bool { return c.ClientAuth != "" }, []Kind{Google, OIDC, Microsoft, GitLab}}, // the others know one way
}

// openIDKinds are the types whose upstreams speak OpenID Connect. GitHub's speak OAuth.
var openIDKinds = []Kind{Google, OIDC, Microsoft, Apple, GitLab}

// clientKeyKinds are the types whose upstreams take a proof by our key, or, as Apple, a secret
// that is made of it.
var clientKeyKinds = []Kind{OIDC, Microsoft, Apple, GitLab}

// checkNoUnusedSettings refuses settings that the connector would not use.
func checkNoUnusedSettings(c Config) error {
	for _, option := range limitedSettings {
		if option.set(c) && !slices.Contains(option.kinds, c.Kind) {
			return misconfigured(c, option.key, fmt.Sprintf("is set and does nothing with type %s: remove it (it is for %s)", c.Kind, joinKinds(option.kinds)))
		}
	}
	switch {
	case c.ClientKeyID != "" && c.ClientKey.Reveal() == "":
		return misconfigured(c, "client_key_id", "names a key, and there is no client_key")
	case c.Kind != Apple && c.ClientKey.Reveal() != "" && c.ClientAuth != "" && c.ClientAuth != privateKeyJWT:
		return misconfigured(c, "client_key", "is set, and client_auth "+c.ClientAuth+" does not use it: remove one of them")
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
