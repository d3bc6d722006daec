package federation

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// relyingParty is a connector to an upstream that speaks OpenID Connect. The differences
// between kinds are in its preset and its quirks.
type relyingParty struct {
	base
	credentials
	quirks    quirks
	issuer    string   // identifies the upstream in attempts
	allowed   []string // algorithms of ID tokens that the settings allow
	discovery *discovery
}

// quirks are the steps of a sign-in in which one kind of upstream departs from the
// standard. Nil: the standard step.
type quirks struct {
	// completeSettings checks and completes the settings. ErrMisconfigured.
	completeSettings func(c *relyingParty) error
	// isIssuer reports whether the upstream issues ID tokens with that iss.
	isIssuer func(c *relyingParty, issuer string) bool
	// issuers lists the possible values of Identity.Issuer.
	issuers func(c *relyingParty) []string
	// addParameters adds parameters to the authorization request.
	addParameters func(c *relyingParty, o Options, p map[string]string)
	// completeIdentity corrects the identity that was read from the standard claims.
	completeIdentity func(c *relyingParty, token object, callback url.Values, i *Identity) error
	// checkAllowed replaces base.checkAllowedAddress. ErrNoEmail, ErrNotAllowed.
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
		return nil, misconfigured(b.config, "issuer", "is missing (example: issuer: https://login.example.com)")
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
			return misconfigured(c.config, "algorithms", fmt.Sprintf("holds %q, which is not supported: use %s",
				foreign.ForError(a), strings.Join(slices.Concat(asymmetric, symmetric), ", ")))
		}
	}
	c.allowed = c.config.Algorithms
	return nil
}

// isIssuer reports whether this upstream issues ID tokens with that iss.
func (c *relyingParty) isIssuer(issuer string) bool {
	if c.quirks.isIssuer != nil {
		return c.quirks.isIssuer(c, issuer)
	}
	return issuer == c.issuer
}

// algorithms lists the algorithms of ID tokens that both sides allow. The upstream's list
// never adds an algorithm. Without such a list, all algorithms of the settings are allowed.
func (c *relyingParty) algorithms(m *metadata) []string { return intersection(c.allowed, m.algorithms) }

// userinfoAlgorithms lists the allowed algorithms of signed userinfo, which has its own
// metadata (Discovery, section 3). The setting algorithms is about ID tokens, with one
// exception: only the HMAC algorithms listed there may use the client secret.
func (c *relyingParty) userinfoAlgorithms(m *metadata) ([]string, error) {
	advertised, err := m.document.capabilities("userinfo_signing_alg_values_supported")
	allowed := slices.Clone(asymmetric)
	for _, a := range c.allowed {
		if slices.Contains(symmetric, a) {
			allowed = append(allowed, a)
		}
	}
	return intersection(allowed, advertised), err
}

// intersection returns the elements of allowed that are also advertised. If advertised is
// nil, it returns all of allowed.
func intersection(allowed, advertised []string) []string {
	if advertised == nil {
		return allowed
	}
	return slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return !slices.Contains(advertised, a) })
}

// Issuers lists the issuer of the settings, or one issuer for each tenant.
func (c *relyingParty) Issuers() []string {
	if c.quirks.issuers != nil {
		return c.quirks.issuers(c)
	}
	return []string{c.issuer}
}
