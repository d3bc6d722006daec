package federation

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/federation/foreign"
)

// relyingParty is a connector to an upstream that speaks OpenID Connect. What
// differs from kind to kind stands in its preset.
type relyingParty struct {
	base
	credentials
	issuer         string // of attempts: which upstream this is
	discoverAt     string // issuer of the discovery document's address
	documentIssuer string // what the document says it is
	allowed        []string
	discovery      *discovery
}

var asymmetric = []string{
	oidc.RS256, oidc.ES256, oidc.EdDSA, oidc.PS256, oidc.RS384, oidc.ES384, oidc.PS384, oidc.RS512, oidc.ES512, oidc.PS512,
}

var symmetric = []string{"HS256", "HS384", "HS512"}

func newOIDC(b base) (Connector, error) {
	c := &relyingParty{base: b, allowed: asymmetric}
	c.issuer = cmp.Or(b.config.Issuer, b.preset.issuer)
	c.discoverAt, c.documentIssuer = c.issuer, c.issuer
	if b.preset.adapt != nil {
		if err := b.preset.adapt(c); err != nil {
			return nil, err
		}
	}
	if c.issuer == "" {
		return nil, wrong(b.config, "issuer", "is missing")
	}
	if err := checkBase(c.discoverAt); err != nil {
		return nil, wrong(b.config, "issuer", err.Error())
	}
	var err error
	if c.credentials, err = newCredentials(c.config); err != nil {
		return nil, err
	}
	if err := c.allowAlgorithms(); err != nil {
		return nil, err
	}
	c.discovery = &discovery{fetch: c.fetchMetadata, now: b.now, limit: 2 * b.config.Timeout}
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
	if c.preset.issues != nil {
		return c.preset.issues(c, issuer)
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
