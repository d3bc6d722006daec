package config

import (
	"net/url"
	"slices"
	"strings"
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
