package config

import (
	"strings"
	"testing"
)

// The rule is the same as for the URIs of clients.
func TestSettings_RefuseInvalidHosts(t *testing.T) {
	hosts := []string{"-", "a..b", "a.example.", "-a.example", "a-.example", "xn--a.example", "127.1", "0x7f.1", "2130706433", strings.Repeat("a", 64) + ".example", "A.example", "a b"}
	for key, write := range map[string]func(host string) string{
		"issuer":              func(host string) string { return "https://" + host },
		"first_party.origins": func(host string) string { return "https://" + host },
		"outbound.proxy":      func(host string) string { return "http://" + host },
		"cookie_domain":       func(host string) string { return host },
		"passkeys.rp_id":      func(host string) string { return host },
	} {
		for _, s := range settings {
			if s.key != key {
				continue
			}
			var c Config
			if err := s.set(&c, write("app.example.com")); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			for _, host := range hosts {
				if key == "outbound.proxy" && host == "A.example" {
					continue // the proxy is not compared, so upper case is allowed
				}
				if err := s.set(&c, write(host)); err == nil {
					t.Errorf("%s accepts %s", key, write(host))
				}
			}
			for _, port := range []string{":443", ":0443", ":0", ":"} {
				if key != "outbound.proxy" && s.set(&c, write("app.example.com")+port) == nil {
					t.Errorf("%s accepts %s", key, write("app.example.com")+port)
				}
			}
		}
	}
}
