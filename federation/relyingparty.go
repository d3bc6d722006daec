package federation

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/federation/foreign"
)

// relyingParty is a connector to an upstream that speaks OpenID Connect. What
// differs from kind to kind stands in its preset and its quirks.
type relyingParty struct {
	base
	credentials
	quirks    quirks
	issuer    string   // of attempts: which upstream this is
	allowed   []string // algorithms of ID tokens, by the settings
	discovery *discovery
}

// quirks are the steps of a sign-in that one kind of upstream does its own way. Nil: as
// the standard says.
type quirks struct {
	// adapt checks and completes the settings.
	adapt func(c *relyingParty) error
	// issues reports whether ID tokens of that issuer are the upstream's.
	issues func(c *relyingParty, issuer string) bool
	// parameters adds to those of the authorization request.
	parameters func(c *relyingParty, o Options, p map[string]string)
	// settle corrects the identity that the standard claims give.
	settle func(c *relyingParty, token object, callback url.Values, i *Identity) error
	// admit applies the settings' rules on people, in place of base.allow.
	admit func(c *relyingParty, token object, i Identity) error
}

var asymmetric = []string{
	oidc.RS256, oidc.ES256, oidc.EdDSA, oidc.PS256, oidc.RS384, oidc.ES384, oidc.PS384, oidc.RS512, oidc.ES512, oidc.PS512,
}

var symmetric = []string{"HS256", "HS384", "HS512"}

func newOIDC(b base, q quirks) (Connector, error) {
	c := &relyingParty{base: b, quirks: q, allowed: asymmetric, issuer: cmp.Or(b.config.Issuer, b.preset.issuer)}
	c.discovery = &discovery{
		caller: b.caller, now: b.now, limit: 2 * b.config.Timeout,
		at: c.issuer, issuer: c.issuer, hosts: slices.Concat(b.config.Hosts, b.preset.hosts),
	}
	if q.adapt != nil {
		if err := q.adapt(c); err != nil {
			return nil, err
		}
	}
	if c.issuer == "" {
		return nil, wrong(b.config, "issuer", "is missing")
	}
	if err := checkBase(c.discovery.at); err != nil {
		return nil, wrong(b.config, "issuer", err.Error())
	}
	var err error
	if c.credentials, err = newCredentials(c.config); err != nil {
		return nil, err
	}
	if err := c.allowAlgorithms(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *relyingParty) allowAlgorithms() error {
	if len(c.config.Algorithms) == 0 {
		return nil
	}
	for _, a := range c.config.Algorithms {
		if slices.Contains(symmetric, a) && len(c.config.ClientSecret.Reveal()) < 32 {
			return wrong(c.config, "algorithms", "holds "+a+", which needs a client_secret of 32 bytes or more")
		}
		if !slices.Contains(asymmetric, a) && !slices.Contains(symmetric, a) {
			return wrong(c.config, "algorithms", fmt.Sprintf("holds %q", foreign.ForError(a)))
		}
	}
	c.allowed = c.config.Algorithms
	return nil
}

// issues reports whether ID tokens of that issuer are this upstream's.
func (c *relyingParty) issues(issuer string) bool {
	if c.quirks.issues != nil {
		return c.quirks.issues(c, issuer)
	}
	return issuer == c.issuer
}

// algorithms are those that both sides allow. An upstream's list never adds one.
func (c *relyingParty) algorithms(m *metadata) []string {
	if len(m.algorithms) == 0 {
		return c.allowed
	}
	both := slices.DeleteFunc(slices.Clone(c.allowed), func(a string) bool { return !slices.Contains(m.algorithms, a) })
	if len(both) == 0 {
		return []string{noCommon} // an empty list would mean the library's default
	}
	return both
}

// noCommon names no algorithm at all.
const noCommon = "no common algorithm"

// keys are what this upstream's tokens are verified with.
func (c *relyingParty) keys(m *metadata) oidc.KeySet {
	for _, algorithm := range c.allowed {
		if slices.Contains(symmetric, algorithm) {
			return either{shared(c.config.ClientSecret.Reveal()), m.keys}
		}
	}
	return m.keys
}
