package federation

import (
	"net/url"
	"slices"
	"strings"
)

const microsoftCloud = "https://login.microsoftonline.com"

// completeMicrosoftSettings derives the issuer from the tenants. One tenant has one issuer.
// Several tenants share a discovery document, whose issuer has a placeholder for the tenant;
// each token has the issuer of its own tenant.
func completeMicrosoftSettings(c *relyingParty) error {
	host := microsoftCloud
	if c.config.Issuer != "" {
		host = strings.TrimSuffix(c.config.Issuer, "/") // a national cloud
	}
	if len(c.config.Tenants) == 0 {
		return misconfigured(c.config, "tenants", "is empty: list the ids of the tenants whose users may sign in")
	}
	c.config.Tenants = slices.Clone(c.config.Tenants)
	for i, t := range c.config.Tenants {
		if !isGUID(t) {
			return misconfigured(c.config, "tenants", "must hold tenant ids (GUIDs): common and organizations would let everybody in, and domain names can change their owner")
		}
		c.config.Tenants[i] = strings.ToLower(t)
	}
	path := c.config.Tenants[0]
	c.discovery.issuer = host + "/" + path + "/v2.0"
	if len(c.config.Tenants) > 1 {
		path = "organizations"
		c.discovery.issuer = host + "/{tenantid}/v2.0"
	}
	c.config.Issuer = host
	c.issuer = c.discovery.issuer
	c.discovery.baseURL = host + "/" + path + "/v2.0"
	return nil
}

func isMicrosoftIssuer(c *relyingParty, issuer string) bool {
	return slices.ContainsFunc(c.config.Tenants, func(t string) bool { return issuer == tenantIssuer(c, t) })
}

// microsoftIssuers lists one issuer for each tenant of the settings.
func microsoftIssuers(c *relyingParty) []string {
	var issuers []string
	for _, t := range c.config.Tenants {
		issuers = append(issuers, tenantIssuer(c, t))
	}
	return issuers
}

func tenantIssuer(c *relyingParty, tenant string) string {
	return c.config.Issuer + "/" + tenant + "/v2.0"
}

// completeMicrosoftIdentity makes the subject from tenant and object id, because sub differs
// between applications. A tenant's administrator can enter any address and name, also those
// of another company. So a tenant verifies no address; only the settings trust and domains
// make an address trusted.
func completeMicrosoftIdentity(c *relyingParty, token object, _ url.Values, i *Identity) error {
	tenant, err := token.text("tid")
	if err != nil {
		return err
	}
	if issuer, _ := token.text("iss"); !isGUID(tenant) || issuer != tenantIssuer(c, tenant) {
		return untrusted("tid does not match the tenant in iss")
	}
	person, err := token.text("oid")
	if err != nil || !isGUID(person) {
		return untrusted("oid is missing or not a GUID")
	}
	i.Issuer = tenantIssuer(c, tenant)
	i.Subject = tenant + "/" + person
	if c.Trust() == Unknown {
		i.EmailVerified = false // the administrator can also set email_verified
	}
	return nil
}

// isGUID reports whether s is a GUID in its usual form.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
		if dash != (r == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
