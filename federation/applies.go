package federation

import (
	"fmt"
	"slices"
	"strings"
)

// usedBy says of each setting that not every type of upstream uses which ones do. Such a
// setting is refused elsewhere: it would be read and do nothing.
var usedBy = []struct {
	key   string
	set   func(Config) bool
	kinds []Kind
}{
	{"base_url", func(c Config) bool { return c.BaseURL != "" }, []Kind{GitHub}},
	{"tenants", func(c Config) bool { return len(c.Tenants) > 0 }, []Kind{Microsoft}},
	{"team_id", func(c Config) bool { return c.TeamID != "" }, []Kind{Apple}},
	{"issuer", func(c Config) bool { return c.Issuer != "" }, speakOpenID},
	{"hosts", func(c Config) bool { return len(c.Hosts) > 0 }, speakOpenID},
	{"algorithms", func(c Config) bool { return len(c.Algorithms) > 0 }, speakOpenID},
	{"client_key", func(c Config) bool { return c.ClientKey.Reveal() != "" }, takeKeys},
	{"client_key_id", func(c Config) bool { return c.ClientKeyID != "" }, takeKeys},
	{"client_auth", func(c Config) bool { return c.ClientAuth != "" }, []Kind{Google, OIDC, Microsoft, GitLab}}, // the others know one way
}

// speakOpenID are the types whose upstreams speak OpenID Connect. GitHub's speak OAuth.
var speakOpenID = []Kind{Google, OIDC, Microsoft, Apple, GitLab}

// takeKeys are the types whose upstreams take a proof by our key, or, as Apple, a secret
// that is made of it.
var takeKeys = []Kind{OIDC, Microsoft, Apple, GitLab}

// checkUsed refuses settings that the connector would not use.
func checkUsed(c Config) error {
	for _, option := range usedBy {
		if option.set(c) && !slices.Contains(option.kinds, c.Kind) {
			return wrong(c, option.key, fmt.Sprintf("is set and does nothing with type %s: remove it (it is for %s)", c.Kind, namesOf(option.kinds)))
		}
	}
	switch {
	case c.ClientKeyID != "" && c.ClientKey.Reveal() == "":
		return wrong(c, "client_key_id", "names a key, and there is no client_key")
	case c.Kind != Apple && c.ClientKey.Reveal() != "" && c.ClientAuth != "" && c.ClientAuth != privateKeyJWT:
		return wrong(c, "client_key", "is set, and client_auth "+c.ClientAuth+" does not use it: remove one of them")
	}
	return nil
}

func namesOf(kinds []Kind) string {
	var names []string
	for _, kind := range kinds {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}
