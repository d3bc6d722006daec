package config

import (
	"cmp"
	"net/url"

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
	for _, connector := range c.Connectors {
		list = append(list, connector.Warnings()...)
	}
	return list
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
