package config

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"signet/federation"
	"signet/federation/foreign"
	"signet/storage"
)

// Warnings returns the risks of valid settings; never nil. sslMode is the value of the variable
// PGSSLMODE, which counts if the URL of the database has no sslmode.
func (c Config) Warnings(sslMode string) []string {
	list := []string{}
	if hosts := unverifiedHosts(c.Database, sslMode); len(hosts) > 0 {
		list = append(list, "the connection to the database at "+strings.Join(hosts, ", ")+" is not verified, so an attacker on the network could read and change everything: add sslmode=verify-full to its URL, and sslrootcert if it uses your own certificate authority")
	}
	if c.DatabasePassword.Reveal() != "" && c.Database.Reveal() == "" {
		list = append(list, "database_password is set, but database is not, so Signet uses SQLite in data_dir: set database to the URL of PostgreSQL, or remove the password")
	}
	if strings.HasPrefix(c.Issuer, "http://") {
		list = append(list, "the issuer "+c.Issuer+" is plain http: passwords and tokens are sent unencrypted; use this only to try Signet out on this machine")
	}
	for _, origin := range c.FirstParty.Origins {
		if c.Issuer != "" && !sameSite(origin, c.Issuer) {
			list = append(list, "first_party.origins contains "+origin+", which is not the same site as the issuer "+c.Issuer+": browsers send it no cookies, so users do not stay signed in there; serve both below one domain, with the same scheme")
		}
	}
	if l := c.Lifetimes; l.Access > l.Refresh {
		list = append(list, "lifetimes.access is longer than lifetimes.refresh, so access tokens outlive their refresh tokens: lower lifetimes.access or raise lifetimes.refresh")
	}
	if c.OpenSignUp && !c.SendsMails() {
		list = append(list, "signup is open, but smtp.host is not set, so no page offers an account: set smtp.host, or set signup to connectors")
	}
	for _, connector := range c.Connectors {
		list = append(list, connector.Warnings()...)
	}
	return list
}

// sameSite reports whether browsers treat two origins as the same site: the scheme is the same,
// and the host or the registrable domain.
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

// unverifiedHosts returns the remote hosts of a database whose certificates are not verified.
// defaultMode counts if the URL has no sslmode. Without either, the driver connects unencrypted if
// the server allows it.
func unverifiedHosts(database federation.Secret, defaultMode string) []string {
	if mode := cmp.Or(storage.URLParameter(database.Reveal(), "sslmode"), defaultMode); mode == "verify-full" || mode == "verify-ca" {
		return nil
	}
	return slices.DeleteFunc(storage.URLHosts(database.Reveal()), foreign.IsLoopback)
}
