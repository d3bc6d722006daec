package federation

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"

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
	// issuers are those of Identity.Issuer.
	issuers func(c *relyingParty) []string
	// parameters adds to those of the authorization request.
	parameters func(c *relyingParty, o Options, p map[string]string)
	// settle corrects the identity that the standard claims give.
	settle func(c *relyingParty, token object, callback url.Values, i *Identity) error
	// admit applies the settings' rules on people, in place of base.allow.
	admit func(c *relyingParty, token object, i Identity) error
}

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
	c.discovery.needs = needs{
		userinfo: !b.preset.noUserinfo, clientAuth: c.credentials.method == "",
		algorithms: func(advertised []string) []string { return common(c.allowed, advertised) },
	}
	return c, c.checkSettings()
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

// algorithms are those of ID tokens that both sides allow. An upstream's list never adds
// one; where it gives none, it restricts nothing.
func (c *relyingParty) algorithms(m *metadata) []string { return common(c.allowed, m.algorithms) }

// userinfoAlgorithms are those of signed userinfo, which has a list of its own (Discovery,
// section 3). The setting algorithms is about ID tokens; but the client secret verifies
// only by what it names.
func (c *relyingParty) userinfoAlgorithms(m *metadata) ([]string, error) {
	theirs, err := m.said.choices("userinfo_signing_alg_values_supported")
	ours := slices.Clone(asymmetric)
	for _, a := range c.allowed {
		if slices.Contains(symmetric, a) {
			ours = append(ours, a)
		}
	}
	return common(ours, theirs), err
}

// common are the elements of ours that are in theirs, too; all if theirs is nil.
func common(ours, theirs []string) []string {
	if theirs == nil {
		return ours
	}
	return slices.DeleteFunc(slices.Clone(ours), func(a string) bool { return !slices.Contains(theirs, a) })
}

// Issuers are that of the settings, or of each tenant.
func (c *relyingParty) Issuers() []string {
	if c.quirks.issuers != nil {
		return c.quirks.issuers(c)
	}
	return []string{c.issuer}
}
