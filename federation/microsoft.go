package federation

import (
	"net/url"
	"slices"
	"strings"
)

const microsoftCloud = "https://login.microsoftonline.com"

// completeMicrosoftSettings makes the issuer of the tenants. One tenant has one issuer.
// Several are asked for together, and the discovery document then has a
// placeholder where each token names its tenant.
func completeMicrosoftSettings(c *relyingParty) error {
	host := microsoftCloud
	if c.config.Issuer != "" {
		host = strings.TrimSuffix(c.config.Issuer, "/") // a national cloud
	}
	if len(c.config.Tenants) == 0 {
		return misconfigured(c.config, "tenants", "is empty: name the ids of the tenants that may sign in")
	}
	c.config.Tenants = slices.Clone(c.config.Tenants)
	for i, t := range c.config.Tenants {
		if !isGUID(t) {
			return misconfigured(c.config, "tenants", "must hold tenant ids (GUIDs); common, organizations and domain names let in anybody or change hands")
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

// microsoftIssuers has one issuer for each tenant of the settings.
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

// completeMicrosoftIdentity takes the tenant and the object in it for the key: sub differs
// from app to app. Address and name are whatever the tenant's administrator typed,
// another company's included: tenants limit the sign-in and vouch for no address.
// Only an operator's trust for named domains does.
func completeMicrosoftIdentity(c *relyingParty, token object, _ url.Values, i *Identity) error {
	tenant, err := token.text("tid")
	if err != nil {
		return err
	}
	if issuer, _ := token.text("iss"); !isGUID(tenant) || issuer != tenantIssuer(c, tenant) {
		return untrusted("tid is not the issuer's tenant")
	}
	person, err := token.text("oid")
	if err != nil || !isGUID(person) {
		return untrusted("oid is missing or no object id")
	}
	i.Issuer = tenantIssuer(c, tenant)
	i.Subject = tenant + "/" + person
	if c.Trust() == Unknown {
		i.EmailVerified = false // a claim of that name is the administrator's, too
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
