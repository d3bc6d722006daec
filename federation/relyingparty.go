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
	// completeSettings checks and completes the settings.
	completeSettings func(c *relyingParty) error
	// isIssuer reports whether ID tokens of that issuer are the upstream's.
	isIssuer func(c *relyingParty, issuer string) bool
	// issuers are those of Identity.Issuer.
	issuers func(c *relyingParty) []string
	// addParameters adds to those of the authorization request.
	addParameters func(c *relyingParty, o Options, p map[string]string)
	// completeIdentity corrects the identity that the standard claims give.
	completeIdentity func(c *relyingParty, token object, callback url.Values, i *Identity) error
	// checkAllowed applies the settings' rules on people, in place of base.allow.
	checkAllowed func(c *relyingParty, token object, i Identity) error
}

func newOIDC(b base, q quirks) (Connector, error) {
	c := &relyingParty{base: b, quirks: q, allowed: asymmetric, issuer: cmp.Or(b.config.Issuer, b.preset.issuer)}
	c.discovery = &discovery{
		caller: b.caller, now: b.now, timeout: 2 * b.config.Timeout,
		baseURL: c.issuer, issuer: c.issuer, hosts: slices.Concat(b.config.Hosts, b.preset.hosts),
	}
	if q.completeSettings != nil {
		if err := q.completeSettings(c); err != nil {
			return nil, err
		}
	}
	if c.issuer == "" {
		return nil, misconfigured(b.config, "issuer", "is missing")
	}
	if err := checkBase(c.discovery.baseURL); err != nil {
		return nil, misconfigured(b.config, "issuer", err.Error())
	}
	var err error
	if c.credentials, err = newCredentials(c.config); err != nil {
		return nil, err
	}
	if err := c.allowAlgorithms(); err != nil {
		return nil, err
	}
	c.discovery.needs = metadataNeeds{
		userinfo: !b.preset.noUserinfo, clientAuth: c.credentials.method == "",
		algorithms: func(advertised []string) []string { return intersection(c.allowed, advertised) },
	}
	return c, c.checkSettingsURL()
}

func (c *relyingParty) allowAlgorithms() error {
	if len(c.config.Algorithms) == 0 {
		return nil
	}
	for _, a := range c.config.Algorithms {
		if slices.Contains(symmetric, a) && len(c.config.ClientSecret.Reveal()) < 32 {
			return misconfigured(c.config, "algorithms", "holds "+a+", which needs a client_secret of 32 bytes or more")
		}
		if !slices.Contains(asymmetric, a) && !slices.Contains(symmetric, a) {
			return misconfigured(c.config, "algorithms", fmt.Sprintf("holds %q", foreign.ForError(a)))
		}
	}
	c.allowed = c.config.Algorithms
	return nil
}

// isIssuer reports whether ID tokens of that issuer are this upstream's.
func (c *relyingParty) isIssuer(issuer string) bool {
	if c.quirks.isIssuer != nil {
		return c.quirks.isIssuer(c, issuer)
	}
	return issuer == c.issuer
}

// algorithms are those of ID tokens that both sides allow. An upstream's list never adds
// one; where it gives none, it restricts nothing.
func (c *relyingParty) algorithms(m *metadata) []string { return intersection(c.allowed, m.algorithms) }

// userinfoAlgorithms are those of signed userinfo, which has a list of its own (Discovery,
// section 3). The setting algorithms is about ID tokens; but the client secret verifies
// only by what it names.
func (c *relyingParty) userinfoAlgorithms(m *metadata) ([]string, error) {
	theirs, err := m.document.capabilities("userinfo_signing_alg_values_supported")
	ours := slices.Clone(asymmetric)
	for _, a := range c.allowed {
		if slices.Contains(symmetric, a) {
			ours = append(ours, a)
		}
	}
	return intersection(ours, theirs), err
}

// intersection are the elements of ours that are in theirs, too; all if theirs is nil.
func intersection(ours, theirs []string) []string {
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
