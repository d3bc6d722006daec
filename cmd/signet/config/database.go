package config

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"signet/storage"
)

// databasePaths lists the parameters of a database URL that name a file.
var databasePaths = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"}

// pathsOfDatabase is the withPaths function of a database URL. It changes the parameters that
// name files, and nothing else.
func pathsOfDatabase(text string, absolute func(string) string) string {
	before, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		path, err := url.PathUnescape(value)
		if err != nil || !slices.Contains(databasePaths, key) || key == "sslrootcert" && path == "system" {
			continue
		}
		if full := absolute(path); full != path {
			pairs[i] = key + "=" + strings.ReplaceAll(url.QueryEscape(full), "+", "%20")
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}

// compareDatabase checks the password of PostgreSQL, and finds its place. env has the variables of
// PostgreSQL, which count for a parameter that the URL of the database does not have.
func (r *Reading) compareDatabase(env map[string]string) {
	database, setting := r.Config.Database.Reveal(), r.process.has("database_password")
	place := &r.Config.PasswordPlace
	switch {
	case database == "" || !r.areValid("database", "database_password"):
	case storage.HasPassword(database) && setting:
		r.addMistakeAt(r.Place("database_password"), "database_password", "is set, but the URL in database has a password too: remove one of them")
	case setting:
		r.Config.DatabasePasswordFile = r.secretFileAt[r.Place("database_password")]
		*place = "the setting database_password (" + r.Place("database_password").String() + ")"
	case storage.HasPassword(database):
		*place = "the URL in the setting database (" + r.Place("database").String() + ")"
	case env["PGPASSWORD"] != "":
		*place = "PGPASSWORD"
	default:
		r.comparePassfile(database, env)
	}
}

// comparePassfile checks the password file of PostgreSQL that counts.
func (r *Reading) comparePassfile(database string, env map[string]string) {
	where, file := r.Place("database"), storage.URLParameter(database, "passfile")
	if file == "" {
		where, file = inVariable("PGPASSFILE"), env["PGPASSFILE"]
	}
	if file != "" {
		if err := storage.CheckPassfile(file); err != nil {
			r.addMistakeAt(where, "database", "%s", err)
			return
		}
	} else if home := env["HOME"]; home != "" {
		file = filepath.Join(home, ".pgpass") // the driver's default, which need not exist
	}
	r.addSecretFile(file)
	r.Config.PasswordPlace = "the password file " + file + ", in which the first line for this host, port, database and user counts"
}
