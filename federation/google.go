package federation

import (
	"net/url"
	"slices"
)

// googleIssues knows that Google's tokens may leave out the scheme.
func googleIssues(c *relyingParty, issuer string) bool {
	return issuer == c.issuer || c.issuer == googleIssuer && issuer == "accounts.google.com"
}

// googleParameters asks for auth_time by name, since Google sends it to nobody
// else (and only to projects with "session age claims" switched on), and shows only
// the accounts that can succeed.
func googleParameters(c *relyingParty, _ Options, p map[string]string) {
	p["claims"] = `{"id_token":{"auth_time":{"essential":true}}}`
	if len(c.config.AllowedDomains) == 1 && !consumer(c.config.AllowedDomains[0]) {
		p["hd"] = c.config.AllowedDomains[0] // a hint: admitGoogle decides
	}
}

// settleGoogle says for which addresses Google is the authority: its own, and
// those of an organisation whose mail it runs. Other consumer accounts carry an
// address that Google verified once. No setting changes that.
func settleGoogle(c *relyingParty, token object, _ url.Values, i *Identity) error {
	hosted, err := token.text("hd")
	if err != nil {
		return err
	}
	_, domain := parseAddress(i.Email)
	if hosted == "" && !consumer(domain) {
		i.rely(min(c.config.trustIn(domain), Verifies))
	}
	return nil
}

// admitGoogle wants the verified hd claim, which Google sets by the account's
// organisation. The address proves no membership: a consumer account can carry
// any. Only Google's own consumer domains are told by the address.
func admitGoogle(c *relyingParty, token object, i Identity) error {
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
	if _, domain := parseAddress(i.Email); hosted == "" && i.EmailVerified && consumer(domain) {
		member = domain
	}
	if member == "" || !slices.Contains(c.config.AllowedDomains, member) {
		return ErrNotAllowed
	}
	return nil
}

func consumer(domain string) bool { return domain == "gmail.com" || domain == "googlemail.com" }
