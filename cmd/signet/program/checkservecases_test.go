package program_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// rightConnectors holds the settings of a valid connector of each type.
var rightConnectors = map[string]map[string]string{
	"google":    {"client_id": "signet", "client_secret": "of google"},
	"github":    {"client_id": "signet", "client_secret": "of github"},
	"oidc":      {"client_id": "signet", "client_secret": "of 32 bytes and more, for HS256 too", "issuer": "https://login.example.net"},
	"microsoft": {"client_id": "signet", "client_secret": "of microsoft", "tenants": "9188040d-6c67-4c5b-b112-36a304b66dad"},
	"apple":     {"client_id": "signet", "client_key_file": "DIR/apple.pem", "client_key_id": "A1", "team_id": "T1"},
	"gitlab":    {"client_id": "signet", "client_secret": "of gitlab"},
}

// oddMembers holds values of connector settings that are odd, wrong, or valid only for some types.
var oddMembers = map[string][]string{
	"id":                     {"", "A", "link", "with blank", strings.Repeat("x", 33), "-x", "account"},
	"type":                   {"", "facebook", "oidc"},
	"name":                   {"Example", ""},
	"client_id":              {"", "x"},
	"client_secret":          {"", "x"},
	"client_secret_file":     {"DIR/apple.pem", "DIR/none"},
	"client_auth":            {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", "magic"},
	"client_key":             {"not PEM", ""},
	"client_key_file":        {"DIR/apple.pem", "DIR/none"},
	"issuer":                 {"http://login.example.net", "https://login.example.net/", "login", "http://localhost:1"},
	"base_url":               {"https://github.example.com", "http://github.example.com", "x"},
	"tenants":                {"common", "9188040d-6c67-4c5b-b112-36a304b66dad, 9188040d-6c67-4c5b-b112-36a304b66dae"},
	"scopes":                 {"groups, offline"},
	"allowed_domains":        {"example.com", "not a domain"},
	"require_email":          {"true", "maybe"},
	"link_by_verified_email": {"true"},
	"signup":                 {"false", "open"},
	"claims":                 {"email=mail", "nonsense=mail", "email"},
	"algorithms":             {"ES256", "HS256", "none"},
	"hosts":                  {"api.example.net", "a/b"},
	"trust":                  {"unknown", "verifies", "authoritative", "blind"},
	"domains":                {"example.com", "*", "*, example.com"},
	"reauthenticates":        {"true", "false"},
	"keep_token":             {"true"},
	"nonsense":               {"x"},
}

// connectorCases returns cases for each type: valid, without each of its settings, with each odd
// value, and with several odd values at once. It also returns cases of connectors in variables.
func connectorCases() []settingsCase {
	var cases []settingsCase
	add := func(name, kind string, members map[string]string) {
		cases = append(cases, connectorCase(name, kind, members))
	}
	draw := mathrand.New(mathrand.NewPCG(13, 9))
	for _, kind := range slices.Sorted(maps.Keys(rightConnectors)) {
		right := rightConnectors[kind]
		add(kind, kind, right)
		for _, member := range slices.Sorted(maps.Keys(right)) {
			without := maps.Clone(right)
			delete(without, member)
			add(kind+" without "+member, kind, without)
			if kind == "oidc" || kind == "google" || kind == "microsoft" {
				without["client_auth"] = "none"
				add(kind+" without "+member+", as a public client", kind, without)
			}
		}
		for _, member := range slices.Sorted(maps.Keys(oddMembers)) {
			for i, value := range oddMembers[member] {
				if kind != "oidc" && (i+len(kind)+len(member))%signettest.Soaking(15, 5) != 0 {
					continue // oidc gets each value, the other types take turns
				}
				odd := maps.Clone(right)
				odd[member] = value
				add(fmt.Sprintf("%s with %s=%.20s", kind, member, value), kind, odd)
			}
		}
		for n := range signettest.Soaking(1, 5) {
			odd := maps.Clone(right)
			for range 3 {
				member := slices.Sorted(maps.Keys(oddMembers))[draw.IntN(len(oddMembers))]
				odd[member] = oddMembers[member][draw.IntN(len(oddMembers[member]))]
			}
			add(fmt.Sprintf("%s drawn %d", kind, n), kind, odd)
		}
	}
	for name, env := range map[string]map[string]string{
		"both":       {"CLIENT_ID": "a", "CLIENT_SECRET": "b"},
		"no secret":  {"CLIENT_ID": "a"},
		"no id":      {"CLIENT_SECRET": "b"},
		"from file":  {"CLIENT_ID": "a", "CLIENT_SECRET_FILE": "DIR/signet.yaml"},
		"no file":    {"CLIENT_ID": "a", "CLIENT_SECRET_FILE": "DIR/none"},
		"both kinds": {"CLIENT_ID": "a", "CLIENT_SECRET": "b", "CLIENT_SECRET_FILE": "DIR/signet.yaml"},
	} {
		for _, id := range []string{"google", "github"} {
			c := settingsCase{name: id + " by variables, " + name, file: "issuer: https://id.example.com\n", env: map[string]string{}, connectors: []string{id}}
			for variable, value := range env {
				c.env["SIGNET_"+strings.ToUpper(id)+"_"+variable] = value
			}
			cases = append(cases, c)
		}
	}
	twice := connectorCase("two of one id", "google", rightConnectors["google"])
	twice.file += strings.TrimPrefix(twice.file, "connectors:\n")
	return append(cases, twice)
}

func connectorCase(name, kind string, members map[string]string) settingsCase {
	all := map[string]string{"id": "corp", "type": kind}
	maps.Copy(all, members)
	file := "connectors:\n  - "
	for i, member := range slices.Sorted(maps.Keys(all)) {
		if i > 0 {
			file += "    "
		}
		file += fmt.Sprintf("%s: %q\n", member, all[member])
	}
	return settingsCase{name: name, file: file, connectors: []string{all["id"]}, arrange: func(t *testing.T, dir string) {
		writeKeyPair(t, dir, "apple", time.Now().Add(time.Hour))
	}}
}

// fileCases returns cases with files and folders in every state.
func fileCases() []settingsCase {
	write := func(name, content string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	change := func(name string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	const other = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
	const https = "issuer: https://id.example.com\n"
	tls := func(days int) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			writeKeyPair(t, dir, "tls", time.Now().Add(time.Duration(days)*24*time.Hour))
			writeKeyPair(t, dir, "other", time.Now().Add(time.Hour))
		}
	}
	pair := map[string]string{"SIGNET_TLS_CERT": "DIR/tls.crt", "SIGNET_TLS_KEY": "DIR/tls.pem"}
	mismatched := map[string]string{"SIGNET_TLS_CERT": "DIR/tls.crt", "SIGNET_TLS_KEY": "DIR/other.pem"}
	both := map[string]string{"SIGNET_MASTER_KEY": other, "SIGNET_MASTER_KEY_NEXT": other}
	return []settingsCase{
		{name: "a pair", file: https, env: pair, arrange: tls(1)},
		{name: "a pair and http", file: "issuer: http://localhost\n", env: pair, arrange: tls(1)},
		{name: "an expired pair", file: https, env: pair, arrange: tls(-1)},
		{name: "no pair", file: https, env: mismatched, arrange: tls(1)},
		{name: "a pair that does not exist", file: https, env: pair},
		{name: "a certificate without a key", file: https, env: map[string]string{"SIGNET_TLS_CERT": "DIR/tls.crt"}, arrange: tls(1)},
		{name: "a key without a certificate", file: https, env: map[string]string{"SIGNET_TLS_KEY": "DIR/tls.pem"}, arrange: tls(1)},
		{name: "PEM instead of a file", file: https, env: map[string]string{"SIGNET_TLS_CERT": "-----BEGIN CERTIFICATE-----", "SIGNET_TLS_KEY": "DIR/tls.pem"}, arrange: tls(1)},
		{name: "a garbled certificate", file: https, env: pair, arrange: func(t *testing.T, dir string) { tls(1)(t, dir); write("tls.crt", "garbage", 0o600)(t, dir) }},
		{name: "an authority", file: https, env: map[string]string{"SIGNET_OUTBOUND_EXTRA_CA": "DIR/tls.crt"}, arrange: tls(1)},
		{name: "an authority that is garbage", file: https, env: map[string]string{"SIGNET_OUTBOUND_EXTRA_CA": "DIR/signet.yaml"}},
		{name: "an open data directory", file: https, arrange: change("data", 0o755)},
		{name: "a data directory that is a file", file: https, arrange: write("data", "x", 0o600)},
		{name: "a database that is garbage", file: https, arrange: write("data/signet.db", strings.Repeat("garbage", 1000), 0o600)},
		{name: "a database that is short garbage", file: https, arrange: write("data/signet.db", "x", 0o600)},
		{name: "a database of no bytes", file: https, arrange: write("data/signet.db", "", 0o600)},
		{name: "a database that is a folder", file: https, arrange: func(t *testing.T, dir string) {
			remove("data/signet.db")(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "data/signet.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "an empty data directory", file: https, arrange: remove("data/signet.db", "data/master.key")},
		{name: "no data directory", file: https, arrange: remove("data")},
		{name: "no data directory, with the app's client", file: https, env: map[string]string{"SIGNET_FIRST_PARTY_CLIENT_ID": "app"}, arrange: remove("data")},
		{name: "a lost master key", file: https, arrange: remove("data/master.key")},
		{name: "an open master key", file: https, arrange: change("data/master.key", 0o644)},
		{name: "a garbled master key", file: https, arrange: write("data/master.key", "garbage\n", 0o600)},
		{name: "a short master key", file: https, arrange: write("data/master.key", "c2hvcnQ=\n", 0o600)},
		{name: "another master key", file: https, arrange: write("data/master.key", other+"\n", 0o600)},
		{name: "another master key by variable", file: https, env: map[string]string{"SIGNET_MASTER_KEY": other}},
		{name: "another master key, for a new database", file: https, env: map[string]string{"SIGNET_MASTER_KEY": other}, arrange: remove("data/signet.db", "data/master.key")},
		{name: "a garbled next master key", file: https, arrange: write("data/master.key.next", "garbage\n", 0o600)},
		{name: "an open next master key", file: https, arrange: write("data/master.key.next", other+"\n", 0o644)},
		{name: "a next master key", file: https, arrange: write("data/master.key.next", other+"\n", 0o600)},
		{name: "both master keys the same", file: https, env: both},
		{name: "a master key in a file", file: https, env: map[string]string{"SIGNET_MASTER_KEY_FILE": "DIR/data/master.key"}},
		{name: "a master key in a file that does not exist", file: https, env: map[string]string{"SIGNET_MASTER_KEY_FILE": "DIR/none"}},
		{name: "nothing", file: ""},
		{name: "no issuer", file: "log:\n  level: info\n", env: map[string]string{"SIGNET_ISSUER": ""}},
		{name: "no YAML", file: "{"},
		{name: "two documents", file: "log:\n  level: info\n---\nlog:\n  level: info\n"},
		{name: "a misspelt variable", file: https, env: map[string]string{"SIGNET_ISUER": "x"}},
		{name: "sessions with a longer idle time than life", file: "lifetimes:\n  session: 20d\n  session_max: 10d\n"},
		{name: "access tokens that outlive refresh tokens", file: "lifetimes:\n  access: 10h\n  refresh: 1h\n"},
		{name: "keys that are due before they sign", file: "keys:\n  rotate_every: 1h\n  publish_before: 2h\n"},
		{name: "PostgreSQL without verification", file: "database: postgres://signet@db.invalid/signet\n"},
	}
}

// writeKeyPair writes a certificate for id.example.com and its key to NAME.crt and NAME.pem.
func writeKeyPair(t *testing.T, dir, name string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"id.example.com"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: raw}, name + ".pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
