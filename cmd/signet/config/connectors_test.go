package config

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/federation"
)

// authority writes a CA certificate to a file and returns its path.
func authority(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{}
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const threeConnectors = `
connectors:
  - id: google
    type: google
    client_id: g
    client_secret: gs
    allowed_domains: [example.com, example.net]
  - {id: hub, type: github, client_id: h, client_secret: hs, base_url: "https://github.example.com", signup: false}
  - id: corp
    type: oidc
    name: Example Inc.
    client_id: c
    client_secret_file: %s
    client_auth: client_secret_post
    issuer: https://login.example.com
    scopes: [groups]
    claims: {email: mail, groups: roles}
    algorithms: ES256
    hosts: api.example.net
    trust: authoritative
    domains: [example.com, "example.net"]
    link_by_verified_email: true
    require_email: true
    keep_token: true
    reauthenticates: true
`

func TestConfig_ReadsConnectors(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("cs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(Sources{File: fileWith(t, fmt.Sprintf(threeConnectors, secret))})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Connectors) != 3 {
		t.Fatalf("got %d connectors", len(c.Connectors))
	}
	google, hub, corp := c.Connectors[0], c.Connectors[1], c.Connectors[2]
	if google.Kind != federation.Google || google.ClientSecret.Reveal() != "gs" || len(google.AllowedDomains) != 2 || !google.SignUp || google.AutoLink {
		t.Errorf("google: %+v", google)
	}
	if hub.BaseURL != "https://github.example.com" || hub.SignUp {
		t.Errorf("hub: %+v", hub)
	}
	if corp.ClientSecret.Reveal() != "cs" || corp.ClientAuth != "client_secret_post" || corp.Claims["email"] != "mail" || corp.Claims["groups"] != "roles" ||
		corp.Trust != federation.Authoritative || corp.Reauthenticates == nil || !*corp.Reauthenticates || !corp.AutoLink || !corp.RequireEmail || !corp.KeepToken ||
		corp.Scopes[0] != "groups" || corp.Algorithms[0] != "ES256" || corp.Hosts[0] != "api.example.net" || corp.Name != "Example Inc." {
		t.Errorf("corp: %+v", corp)
	}
	if shown := fmt.Sprintf("%+v %#v", c, c); strings.Contains(shown, "gs\"") || strings.Contains(shown, ":cs") {
		t.Errorf("the output contains a secret: %s", shown)
	}
}

// Two environment variables configure Google or GitHub without a settings file. If there is a
// settings file, a variable may still set only the secret.
func TestConfig_TwoVariablesMakeAConnector(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(Sources{
		File: fileWith(t, "signup: closed\nconnectors: [{id: google, type: google, client_id: g, allowed_domains: example.com}]\n"),
		Env: map[string]string{
			"SIGNET_GOOGLE_CLIENT_SECRET": "gs", "SIGNET_GITHUB_CLIENT_ID": "h", "SIGNET_GITHUB_CLIENT_SECRET_FILE": secret,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Connectors) != 2 {
		t.Fatalf("got %d connectors", len(c.Connectors))
	}
	google, hub := c.Connectors[0], c.Connectors[1]
	if google.ClientSecret.Reveal() != "gs" || google.AllowedDomains[0] != "example.com" || google.SignUp {
		t.Errorf("google: %+v", google)
	}
	if hub.ID != "github" || hub.Kind != federation.GitHub || hub.ClientID != "h" || hub.ClientSecret.Reveal() != "from-file" {
		t.Errorf("github: %+v", hub)
	}
}

// CF-05: An unknown or misspelled setting stops the start.
func TestConfig_ReportsEveryMistakeInAConnector(t *testing.T) {
	for content, want := range map[string]string{
		"connectors: {id: google}":                                                                                                               ":1: connectors: must be a list",
		"connectors: [google]":                                                                                                                   "each item must have settings",
		"connectors: [{type: google}]":                                                                                                           "id is missing",
		"connectors: [{id: Google, type: google, client_id: a}]":                                                                                 "lower-case letters",
		"connectors: [{id: link, type: google, client_id: a, client_secret: b}]":                                                                 "is taken",
		"connectors: [{id: a, client_id: a, client_secret: b}]":                                                                                  "type is missing",
		"connectors: [{id: a, type: gogle, client_id: a}]":                                                                                       "did you mean google?",
		"connectors: [{id: a, type: google}]":                                                                                                    "client_id is missing",
		"connectors: [{id: a, type: google, client_id: a, id: b}]":                                                                               "occurs twice",
		"connectors: [{id: a, type: google, client_id: a, clientsecret: b}]":                                                                     "did you mean client_secret?",
		"connectors: [{id: a, type: google, client_id: a, client_id_file: b}]":                                                                   "is not a setting of a connector",
		"connectors: [{id: a, type: google, client_id: a, client_secret_file: /no}]":                                                             "cannot be read",
		"connectors: [{id: a, type: google, client_id: a, claims: {email: [x]}}]":                                                                "must map each claim to one claim",
		"connectors: [{id: a, type: google, client_id: a, scopes: {a: b}}]":                                                                      "must be a single value",
		"connectors: [{id: a, type: google, client_id: a, signup: maybe}]":                                                                       "use true or false",
		"connectors: [{id: a, type: google, client_id: a, require_email: ja}]":                                                                   "use true or false",
		"connectors: [{id: a, type: github, client_id: a, client_secret: a, reauthenticates: true}]":                                             "does not support prompt=login",
		"connectors: [{id: a, type: oidc, client_id: a, reauthenticates: sometimes}]":                                                            "use true or false",
		"connectors: [{id: a, type: google, client_id: a, trust: blind}]":                                                                        "use unknown, verifies or authoritative",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\", trust: authoritative}]":                                   "domains is missing: list the domains whose mailboxes the upstream runs (example: trust: authoritative, domains: [example.com])",
		"connectors: [{id: a, type: google, client_id: a, client_secret: b, trust: authoritative}]":                                              "domains is missing",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\", domains: [example.com]}]":                                 "only trust: authoritative uses domains",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\", trust: authoritative, domains: [\"a b\"]}]":               "is not a domain",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\", link_by_verified_email: true}]":                           "link_by_verified_email would link nobody: trust is unknown",
		"connectors: [{id: a, type: google, client_id: a, client_secret: b, trust: unknown, link_by_verified_email: true}]":                      "link_by_verified_email would link nobody",
		"connectors: [{id: a, type: microsoft, client_id: a, tenants: [11111111-2222-3333-4444-555555555555], allowed_domains: [corp.example]}]": "allowed_domains would refuse everybody",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\", require_email: true}]":                                    "require_email would refuse everybody",
		"connectors: [{id: a, type: oidc, client_id: a, issuer: \"http://x.example\"}]":                                                          "must be an https URL",
		"connectors: [{id: a, type: google, client_id: a, client_secret: b}, {id: a, type: github, client_id: a, client_secret: b}]":             "the id a occurs twice",
		"signup: everybody":         "use closed or connectors",
		"outbound: {extra_ca: /no}": "cannot be read",
		"outbound: {proxy: host}":   "is not a URL",
	} {
		_, err := readConfig(Sources{File: fileWith(t, content)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
	}
	_, err := readConfig(Sources{File: fileWith(t, ""), Env: map[string]string{"SIGNET_GITHUB_CLIENT_SECRET": "b"}})
	if err == nil || !strings.Contains(err.Error(), "SIGNET_GITHUB_CLIENT_SECRET: connector \"github\": client_id is missing") {
		t.Errorf("a secret without a client id: got %v", err)
	}
}

// These settings are valid, but config check and serve warn about them.
func TestConfig_WarnsAboutTooMuchTrust(t *testing.T) {
	for settings, want := range map[string]string{
		`trust: authoritative, domains: ["*"]`:            "connector a: domains is *",
		`allowed_domains: [example.com]`:                  "connector a: allowed_domains checks the domain of the email address, but trust is unknown",
		`trust: unknown, allowed_domains: [example.com]`:  "connector a: allowed_domains",
		`trust: authoritative, domains: [example.com]`:    "",
		`trust: verifies, allowed_domains: [example.com]`: "",
		`trust: unknown`: "",
	} {
		c, err := readConfig(Sources{File: fileWith(t, `connectors: [{id: a, type: oidc, client_id: a, issuer: "https://x.example", `+settings+`}]`)})
		if err != nil {
			t.Errorf("%s: %v", settings, err)
			continue
		}
		warnings := strings.Join(c.Warnings(""), "\n")
		if !strings.HasPrefix(warnings, want) || want == "" && warnings != "" {
			t.Errorf("%s: got warnings %q, want %q", settings, warnings, want)
		}
	}
}

// With signup: open and without a mail server, Signet starts and offers nothing. It says so.
func TestConfig_WarnsAboutSignUpWithoutMails(t *testing.T) {
	const server = "smtp: {host: smtp.example.com}\nmail: {from: no-reply@example.com}\n"
	for settings, want := range map[string]bool{"signup: open\n": true, "signup: connectors\n": false, "signup: open\n" + server: false} {
		c, err := readConfig(Sources{File: fileWith(t, settings)})
		if err != nil {
			t.Errorf("%s: %v", settings, err)
			continue
		}
		warnings := strings.Join(c.Warnings(""), "\n")
		if got := strings.Contains(warnings, "signup is open, but smtp.host is not set"); got != want {
			t.Errorf("%s: warnings %q, want one: %v", settings, warnings, want)
		}
	}
}
