package federation

import (
	"net/url"
	"slices"
)

// isGoogleIssuer knows that Google's tokens may leave out the scheme.
func isGoogleIssuer(c *relyingParty, issuer string) bool {
	return issuer == c.issuer || c.issuer == googleIssuer && issuer == "accounts.google.com"
}

// addGoogleParameters asks for auth_time by name, since Google sends it to nobody
// else (and only to projects with "session age claims" switched on), and shows only
// the accounts that can succeed.
func addGoogleParameters(c *relyingParty, _ Options, p map[string]string) {
	p["claims"] = `{"id_token":{"auth_time":{"essential":true}}}`
	if len(c.config.AllowedDomains) == 1 && !isConsumerDomain(c.config.AllowedDomains[0]) {
		p["hd"] = c.config.AllowedDomains[0] // a hint: admitGoogle decides
	}
}

// completeGoogleIdentity says for which addresses Google is the authority: its own, and
// those of an organisation whose mail it runs. Other consumer accounts carry an
// address that Google verified once. No setting changes that.
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

// checkAllowedGoogle wants the verified hd claim, which Google sets by the account's
// organisation. The address proves no membership: a consumer account can carry
// any. Only Google's own consumer domains are told by the address.
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
