package config

import (
	"net/url"
	"slices"
	"strings"
)

// databasePaths are the parameters of a database's URL that name a file.
var databasePaths = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"}

// pathsOfDatabase is for a URL with parameters that name files. Everything else in it
// stays as it was written.
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
		if whole := absolute(path); whole != path {
			pairs[i] = key + "=" + strings.ReplaceAll(url.QueryEscape(whole), "+", "%20")
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}
