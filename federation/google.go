package federation

import (
	"net/url"
	"slices"
)

// isGoogleIssuer also accepts the issuer without a scheme, which Google's tokens may have.
func isGoogleIssuer(c *relyingParty, issuer string) bool {
	return issuer == c.issuer || c.issuer == googleIssuer && issuer == "accounts.google.com"
}

// addGoogleParameters requests auth_time with the parameter claims: Google sends it only on
// request, and only to projects with "session age claims" switched on. With hd, Google shows
// only the accounts of the allowed domain.
func addGoogleParameters(c *relyingParty, _ Options, p map[string]string) {
	p["claims"] = `{"id_token":{"auth_time":{"essential":true}}}`
	if len(c.config.AllowedDomains) == 1 && !isConsumerDomain(c.config.AllowedDomains[0]) {
		p["hd"] = c.config.AllowedDomains[0] // only a hint: checkAllowedGoogle decides
	}
}

// completeGoogleIdentity limits the trust in an address. Google is authoritative for its own
// consumer domains and for the domains of an organization whose mail it runs. It has only
// verified the addresses of other consumer accounts, once. No setting changes that.
func completeGoogleIdentity(c *relyingParty, token object, _ url.Values, i *Identity) error {
	hosted, err := token.text("hd")
	if err != nil {
		return err
	}
	_, domain := parseAddress(i.Email)
	if hosted == "" && !isConsumerDomain(domain) {
		i.setTrust(min(c.config.trustFor(domain), Verifies))
	}
	return nil
}

// checkAllowedGoogle compares the claim hd, which Google sets to the domain of the account's
// organization, with the allowed domains. The domain of the address is not enough: a
// consumer account can have any address. Only Google's consumer domains, which have no hd,
// are checked by the address.
func checkAllowedGoogle(c *relyingParty, token object, i Identity) error {
	if c.config.RequireEmail && !i.HasTrustedEmail() {
		return ErrNoEmail
	}
	if len(c.config.AllowedDomains) == 0 {
		return nil
	}
	hosted, err := token.text("hd")
	if err != nil {
		return err
	}
	member := canonicalDomain(hosted)
	if _, domain := parseAddress(i.Email); hosted == "" && i.EmailVerified && isConsumerDomain(domain) {
		member = domain
	}
	if member == "" || !slices.Contains(c.config.AllowedDomains, member) {
		return ErrNotAllowed
	}
	return nil
}

func isConsumerDomain(domain string) bool { return domain == "gmail.com" || domain == "googlemail.com" }
