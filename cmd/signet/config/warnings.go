package config

import (
	"cmp"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"signet/federation"
	"signet/federation/foreign"
)

// Warnings are risks of settings that are right. sslMode is the one of the environment,
// PGSSLMODE, which counts where the database's URL has none. Never nil.
func (c Config) Warnings(sslMode string) []string {
	list := []string{}
	if host := unverifiedDatabase(c.Database, sslMode); host != "" {
		list = append(list, "whoever is between here and the database at "+host+" could read and change everything: add sslmode=verify-full to its URL, and sslrootcert for an authority of your own")
	}
	if strings.HasPrefix(c.Issuer, "http://") {
		list = append(list, "the issuer "+c.Issuer+" is plain http: passwords and tokens travel unprotected, for trying out on this machine only")
	}
	for _, origin := range c.FirstParty.Origins {
		if c.Issuer != "" && !sameSite(origin, c.Issuer) {
			list = append(list, "first_party.origins has "+origin+", which is another site than the issuer "+c.Issuer+": browsers send no cookies there, so nobody stays signed in at that page; serve both below one domain, with one scheme")
		}
	}
	if l := c.Lifetimes; l.Access > l.Refresh {
		list = append(list, "lifetimes.access is longer than lifetimes.refresh: access tokens outlive the refresh tokens beside them; lower the first or raise the second")
	}
	for _, connector := range c.Connectors {
		list = append(list, connector.Warnings()...)
	}
	return list
}

// sameSite reports whether a browser calls two origins one site: they have one scheme, and
// one host or one registrable domain.
func sameSite(a, b string) bool {
	first, errFirst := url.Parse(a)
	second, errSecond := url.Parse(b)
	if errFirst != nil || errSecond != nil || first.Scheme != second.Scheme {
		return false
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(first.Hostname())
	other, errOther := publicsuffix.EffectiveTLDPlusOne(second.Hostname())
	return first.Hostname() == second.Hostname() || err == nil && errOther == nil && site == other
}

// unverifiedDatabase gives the host of a database on another machine whose
// certificate is not checked. otherwise is the mode that counts where the URL has
// none; without either the driver goes on unencrypted if the server likes.
func unverifiedDatabase(database federation.Secret, otherwise string) (host string) {
	u, err := url.Parse(database.Reveal())
	if err != nil || u.Hostname() == "" || foreign.IsLoopback(u.Hostname()) {
		return ""
	}
	if mode := cmp.Or(u.Query().Get("sslmode"), otherwise); mode == "verify-full" || mode == "verify-ca" {
		return ""
	}
	return u.Hostname()
}
