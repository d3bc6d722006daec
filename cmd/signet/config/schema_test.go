package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// editor returns a function that checks a document with the schema, as an editor does.
func editor(t *testing.T) func(document string) error {
	t.Helper()
	printed, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler() // also checks our schema against the 2020-12 schema
	if err := compiler.AddResource("signet.schema.json", read); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("signet.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(document string) error {
		var typed any
		if err := yaml.Unmarshal([]byte(document), &typed); err != nil {
			return err
		}
		if typed == nil {
			return nil // an empty file
		}
		content, err := json.Marshal(typed)
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return err
		}
		return schema.Validate(value)
	}
}

// The test writes every example, default and bad value that these tests know into every setting.
// An editor must not mark a document that Signet accepts.
func TestConfigSchema_AcceptsValidDocuments(t *testing.T) {
	marks := editor(t)
	values := []string{
		"", "x", "0", "1", "19", "256", "257", "-1", "1.5", "true", "false", "yes", "15m", "1d12h", "1h30m", "250ms", "7days", "0s", "15", "1e3s", "localhost:8080", "[::1]:0", ":1", "8080",
		"https://id.example.com:8443/auth", "https://id.example.com/", "http://localhost", "http://[::1]:8080", "ftp://id.example.com", "postgresql://db/x", "mysql://db/x",
		"10.0.0.0/8, ::1", "fe80::1%eth0", "nonsense", "example.com", "com", "EXAMPLE.com", "debug", "loud", "ES256", "RS256, ES256, PS256", "closed", "open", "verifies",
		"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k", "c2hvcnQ=", "email=mail", "a, b", "/tmp", authority(t),
	}
	for _, s := range settings {
		values = append(values, s.byDef, s.example)
	}
	for _, o := range connectorOptions {
		values = append(values, o.byDef, o.example)
	}
	slices.Sort(values)
	taken := 0
	takes := func(document string) bool {
		r := newReading()
		r.readDocument("signet.yaml", []byte(document))
		return len(r.Mistakes) == 0
	}
	for _, s := range settings {
		documents := []string{strings.TrimRight(strings.Replace(yamlOf(s.key, s.example), fmt.Sprintf("%q", s.example), s.example, 1), "\n")} // unquoted
		for _, value := range slices.Compact(slices.Clone(values)) {
			documents = append(documents, yamlOf(s.key, value))
		}
		for _, document := range documents {
			if !takes(document) {
				continue
			}
			taken++
			if err := marks(document); err != nil {
				t.Errorf("Signet accepts the document, but an editor marks it:\n%s%v", document, err)
			}
		}
	}
	for _, document := range []string{
		"", "# nothing\n", "lifetimes:\n  # nothing\n", fmt.Sprintf(threeConnectors, "/dev/null"), "trusted_proxies: [10.0.0.0/8, \"::1\"]\n", "keys: {algorithms: [ES256, RS256]}\n",
		"connectors:\n  - {id: a, type: oidc, issuer: \"https://a.example\", client_id: 4711, client_secret: 4711, scopes: a, keep_token: \"true\"}\n",
	} {
		taken++
		if err := marks(document); err != nil {
			t.Errorf("an editor marks\n%s%v", document, err)
		}
	}
	if taken < len(settings) {
		t.Errorf("Signet accepted only %d documents", taken)
	}
}

// These are the mistakes that a schema can express.
func TestConfigSchema_MarksMistakes(t *testing.T) {
	marks := editor(t)
	for _, document := range []string{
		"isuer: https://id.example.com", "lifetimes: {acces: 15m}", "lifetimes: 15m", "lifetimes: [15m]", "- issuer", "issuer", "issuer: {a: b}", "issuer: [a]", "issuer: null",
		"issuer: id.example.com", "issuer: https://id.example.com/", "issuer: https://id.example.com?a=b", "listen: localhost", "listen: \"unix:\"", "listen_mode: all", "database: mysql://db/x", "database_password: {a: b}", "master_key: c2hvcnQ=",
		"cookie_name: a b", "cookie_name: {a: b}", "cookie_domain: .example.com", "cookie_domain: Example.com", "passkeys: {rp_id: .example.com}", "first_party: {origins: [\"https://app.example.com/\"]}", "first_party: {audience: a b}",
		"trusted_proxies: [nonsense]", "trusted_proxies: {a: b}", "lifetimes: {code: 15}", "lifetimes: {code: 7days}", "lifetimes: {code: -1m}", "lifetimes: {trusted_browser: 30 days}", "log: {level: loud}", "keys: {rsa: libressl}",
		"passwords: {memory: 1}", "passwords: {memory: 257}", "passwords: {memory: 20.5}", "passwords: {memory: lots}", "rate_limits: {account: 0}", "signup: everybody", "registration: {response_types: [token]}", "outbound: {proxy: host}",
		"keys: {algorithms: [ES256, HS256]}", "keys: ES256", "tls: {cert: [a]}",
		"connectors: {id: a}", "connectors: [a]", "connectors: [{id: a}]", "connectors: [{type: oidc}]", "connectors: [{id: A, type: oidc}]", "connectors: [{id: a, type: gogle}]",
		"connectors: [{id: a, type: oidc, client_id_file: b}]", "connectors: [{id: a, type: oidc, clientid: b}]", "connectors: [{id: a, type: oidc, keep_token: ja}]",
		"connectors: [{id: a, type: oidc, trust: blind}]", "connectors: [{id: a, type: oidc, claims: {email: [a]}}]", "connectors: [{id: a, type: oidc, issuer: login}]",
	} {
		if Read(Sources{File: fileWith(t, document)}).Err() == nil {
			t.Errorf("Signet accepts %s", document)
		}
		if marks(document) == nil {
			t.Errorf("an editor does not mark %s", document)
		}
	}
	for _, s := range settings { // every key, misspelt
		if document := yamlOf(s.key+"x", "1"); marks(document) == nil {
			t.Errorf("an editor does not mark %s", document)
		}
	}
}
