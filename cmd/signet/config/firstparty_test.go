package config

import (
	"strings"
	"testing"
)

func TestFirstParty_OriginsMustBeAsBrowsersWriteThem(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com:8443": true, "http://localhost:5173": true, "http://127.0.0.1:3000": true, "http://[::1]:3000": true,
		"https://app.example.com/": false, "https://app.example.com/app": false, "https://APP.example.com": false, "HTTPS://app.example.com": false,
		"http://app.example.com": false, "app.example.com": false, "null": false, "*": false, "https://*.example.com": false, "https://": false,
		"https://user@app.example.com": false, "https://app.example.com:443": false, "http://localhost:80": false, "https://app.example.com:": false,
		"https://äpp.example.com": false, "https://app.example.com?x": false, "https://app.example.com#x": false, "ftp://app.example.com": false,
	} {
		if _, err := parseOrigins(origin); (err == nil) != want {
			t.Errorf("origin %q: got %v, want accepted: %v", origin, err, want)
		}
	}
	if list, err := parseOrigins("https://a.example.com, https://b.example.com"); err != nil || len(list) != 2 {
		t.Errorf("two origins: %v, %v", list, err)
	}
}

func TestFirstParty_CookieDomainMustBeAcceptedByBrowsers(t *testing.T) {
	for domain, want := range map[string]bool{
		"example.com": true, "app.example.com": true, "example.co.uk": true, "corp.internal": true,
		"com": false, "co.uk": false, "github.io": false, "localhost": false, "internal": false, "127.0.0.1": false, "::1": false,
		".example.com": false, "example.com.": false, "Example.com": false, "https://example.com": false, "example.com:443": false,
		"example.com/auth": false, "*.example.com": false, "exa mple.com": false, "example..com": false, "-a.example.com": false, "": false,
	} {
		if _, err := parseCookieDomain(domain); (err == nil) != want {
			t.Errorf("domain %q: got %v, want accepted: %v", domain, err, want)
		}
		if _, err := parseRPID(domain); (err == nil) != want {
			t.Errorf("RP ID %q: got %v, want accepted: %v", domain, err, want)
		}
	}
}

func TestFirstParty_SettingsAreComparedWithTheIssuer(t *testing.T) {
	for _, c := range []struct{ issuer, key, value, want string }{
		{"https://id.example.com", "cookie_domain", "example.com", ""},
		{"https://example.com:8443/auth", "cookie_domain", "example.com", ""},
		{"https://id.example.com", "cookie_domain", "id.example.com", ""},
		{"https://id.example.com", "cookie_domain", "app.example.com", "cookie_domain: is app.example.com, but the issuer's host is id.example.com"},
		{"https://id.example.com", "cookie_domain", "ample.com", "cookie_domain: is ample.com, but the issuer's host"},
		{"http://localhost:8080", "cookie_domain", "example.com", "cookie_domain: is example.com, but the issuer's host is localhost"},
		{"https://id.example.com", "first_party.audience", "https://id.example.com/api", ""},
		{"https://id.example.com", "first_party.audience", "https://id.example.com", "first_party.audience: is the issuer"},
		{"https://id.example.com", "first_party.audience", "two words", "must be 1 to 255 ASCII characters"},
		{"https://id.example.com", "cookie_domain", "co.uk", "is a public suffix"},
		{"https://id.example.com", "first_party.origins", "https://app.example.com/", "without a slash at the end"},
		{"https://id.example.com", "passkeys.rp_id", "example.com", ""},
		{"https://a.id.example.com:8443/auth", "passkeys.rp_id", "id.example.com", ""},
		{"https://id.example.com", "passkeys.rp_id", "id.example.com", ""},
		{"https://id.example.com", "passkeys.rp_id", "app.example.com", "passkeys.rp_id: is app.example.com, but the issuer's host is id.example.com"},
		{"https://id.example.com", "passkeys.rp_id", "ample.com", "passkeys.rp_id: is ample.com, but the issuer's host"},
		{"https://id.example.com", "passkeys.rp_id", "a.id.example.com", "passkeys.rp_id: is a.id.example.com, but"},
		{"https://id.example.co.uk", "passkeys.rp_id", "co.uk", "is a public suffix: browsers refuse such an RP ID"},
		{"https://192.0.2.1", "passkeys.rp_id", "example.com", "passkeys.rp_id: is set, but browsers make no passkeys for the issuer https://192.0.2.1"},
	} {
		_, err := readConfig(Sources{File: fileWith(t, yamlOf("issuer", c.issuer)+yamlOf(c.key, c.value))})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %s: %v", c.key, c.value, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %s: got %v, want %q", c.key, c.value, err, c.want)
		}
	}
}
