package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzSettings reads any text as the settings file. It is accepted or refused as a whole.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"issuer: https://id.example.com\n", "issuer: [a, b]\n", "isuer: x\n", "a: &x [*x]\n", "tls:\n  cert: a\n  key: b\n", "listen: 127.0.0.1:0\ntrusted_proxies: [10.0.0.0/8]\n",
		"connectors:\n- id: a\n  type: oidc\n  client_secret: secret\n", "connectors: {}\n", "- a\n", "\x00", "issuer: \"\\ud800\"\n", "lifetimes:\n  access: 1h\n",
		"issuer: a\nissuer: b\n", "---\nissuer: a\n---\n", "database: postgres://u:secret@h/d\n", "master_key: secret\n", "? a\n: b\n", "!!binary a: b\n",
	} {
		f.Add(seed)
	}
	name := filepath.Join(f.TempDir(), "signet.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readConfig(Sources{File: name})
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("refused without a mistake: %q", text)
			}
			return
		}
		if again, err := parseIssuer(c.Issuer); c.Issuer != "" && (err != nil || again != c.Issuer) || c.Listen == "" {
			t.Fatalf("%q is accepted with the issuer %q (%v) and the address %q", text, c.Issuer, err, c.Listen)
		}
	})
}

// FuzzSetting reads any text as the value of one setting, from its variable.
func FuzzSetting(f *testing.F) {
	for i, s := range settings {
		f.Add(uint8(i), s.example)
		f.Add(uint8(i), "")
	}
	f.Add(uint8(0), "https://id.example.com/%2f..")
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		s := settings[int(which)%len(settings)]
		_, err := readConfig(Sources{Env: map[string]string{"SIGNET_ISSUER": "https://id.example.com", s.variable(): value}})
		if err != nil && !strings.Contains(err.Error(), s.key) && !strings.Contains(err.Error(), s.variable()) && !strings.Contains(err.Error(), "issuer") {
			t.Fatalf("%s=%q: the error does not name the variable: %v", s.variable(), value, err)
		}
	})
}
