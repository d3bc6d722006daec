package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// A wrong setting is not compared with others, and its connector or group of settings is not
// checked as a whole.
func TestRead_ReportsOneMistakeOnce(t *testing.T) {
	const connector = "connectors: [{id: corp, type: oidc, issuer: \"https://x.example\", client_id: a, client_secret: b}]"
	for content, key := range map[string]string{
		"lifetimes: {refresh: soon, refresh_max: 1h}":      "lifetimes.refresh",
		"lifetimes: {refresh: 40d, refresh_max: never}":    "lifetimes.refresh_max",
		"lifetimes: {session: 40d, session_max: -1h}":      "lifetimes.session_max",
		"keys: {publish_before: soon, rotate_every: 1h}":   "keys.publish_before",
		"keys: {publish_before: 40d, rotate_every: often}": "keys.rotate_every",
		"keys: {jwks_max_age: long, publish_before: 1m}":   "keys.jwks_max_age",
		"{issuer: \"https://id.example.com/\", cookie_domain: other.example, passkeys: {rp_id: other.example}, tls: {cert: /a, key: /b}, first_party: {audience: \"urn:a\"}}": "issuer",
		strings.Replace(connector, "type: oidc", "type: oicd", 1):                           "connectors.type",
		strings.Replace(connector, "https://x.example", "http://x.example?", 1):             "corp",
		strings.Replace(connector, "client_secret: b", "client_secret_file: /none", 1):      "connectors.client_secret",
		strings.Replace(connector, "client_id: a", "clientid: a", 1):                        "connectors.clientid",
		strings.Replace(connector, "client_secret: b", "client_secret: b, trust: blind", 1): "connectors.trust",
	} {
		_, err := readConfig(Sources{File: fileWith(t, content)})
		if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got %v, want one mistake, about %s", content, err, key)
		}
	}
	_, err := readConfig(Sources{File: fileWith(t, ""), Env: map[string]string{"SIGNET_GOOGLE_CLIENT_ID": "a", "SIGNET_GOOGLE_CLIENT_SECRET_FILE": "/none"}})
	if err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a secret that cannot be read: got %v", err)
	}
	// Independent mistakes are still reported together.
	_, err = readConfig(Sources{File: fileWith(t, "{lifetimes: {refresh: soon}, cookie_domain: a..b, "+connector[:11]+" [{id: corp, type: oicd}]}")})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("three mistakes: got %v", err)
	}
}

// If the file cannot be read, no setting is reported as missing.
func TestRead_UnreadableFileIsTheOnlyMistake(t *testing.T) {
	for what, file := range map[string]string{
		"no such file": filepath.Join(t.TempDir(), "none.yaml"), "a folder": t.TempDir(),
		"no YAML": fileWith(t, "issuer: [\n"), "a list": fileWith(t, "- issuer: https://id.example.com\n"), "a word": fileWith(t, "issuer"),
		"no value": fileWith(t, "issuer:"), "several values": fileWith(t, "issuer: {a: b}"), "a misspelt key": fileWith(t, "isuer: https://id.example.com"),
	} {
		r := Read(Sources{File: file})
		r.RequireIssuer()
		if len(r.Mistakes) != 1 {
			t.Errorf("%s: got %v, want one mistake", what, r.Err())
		}
	}
	for name, value := range map[string]string{"SIGNET_ISUER": "https://id.example.com", "SIGNET_ISSUER": "  "} {
		r := Read(Sources{File: fileWith(t, ""), Env: map[string]string{name: value}})
		if r.RequireIssuer(); len(r.Mistakes) != 1 {
			t.Errorf("%s is %q: got %v", name, value, r.Err())
		}
	}
	r := Read(Sources{File: fileWith(t, "# nothing yet\n")})
	if r.RequireIssuer(); len(r.Mistakes) != 1 || r.Mistakes[0].Key != "issuer" {
		t.Errorf("an empty file: got %v", r.Err())
	}
}
