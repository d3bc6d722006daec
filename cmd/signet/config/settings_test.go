package config

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider"
	"signet/provider/outbound"
	"signet/provider/spelling"
)

// CF-02: An http issuer is accepted only on loopback, with a warning.
func TestRead_IssuerMustBeAPlainURL(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://id.example.com":            true,
		"https://app.example.com/auth":      true,
		"https://id.example.com:8443":       true,
		"http://localhost:8080":             true,
		"http://127.0.0.1":                  true,
		"http://[::1]:8080":                 true,
		"":                                  false,
		"id.example.com":                    false,
		"ftp://id.example.com":              false,
		"https:id.example.com":              false,
		"https://":                          false,
		"https://id.example.com/":           false,
		"https://id.example.com/auth/":      false,
		"https://id.example.com//auth":      false,
		"https://id.example.com/a/../b":     false,
		"https://id.example.com/a%2fb c":    false,
		"https://id.example.com?":           false,
		"https://id.example.com?a=b":        false,
		"https://id.example.com#":           false,
		"https://id.example.com#a":          false,
		"https://user@id.example.com":       false,
		"https://ID.example.com":            false,
		"HTTPS://id.example.com":            false,
		"http://id.example.com":             false,
		"http://localhost.example.com":      false,
		"http://127.0.0.1.example.com":      false,
		"http://192.168.1.1":                false,
		"http://localhost@evil.example:80":  false,
		"https://id.example.com/\nX-Evil:1": false,
	} {
		if _, err := parseIssuer(issuer); (err == nil) != want {
			t.Errorf("issuer %q: got %v, want accepted: %v", issuer, err, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "15m": 15 * time.Minute, "24h": 24 * time.Hour, "7d": 7 * maxDay, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute,
	} {
		if got, err := foreign.ParseDuration(text, time.Second, maxYear); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "15", "d", "-15m", "-1d", "1.5h", "1h-30m", "7days", "99999999d", "366d", "999ms", "0s", "1e3s", "5ns", " 5m"} {
		if got, err := foreign.ParseDuration(text, time.Second, maxYear); err == nil {
			t.Errorf("%q is accepted as %v", text, got)
		}
	}
}

func TestFormatDuration_IsParsedBack(t *testing.T) {
	for _, text := range []string{"0s", "90s", "1m30s", "15m", "7d", "1d12h", "250ms"} {
		d, err := foreign.ParseDuration(text, 0, maxYear)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := foreign.ParseDuration(foreign.FormatDuration(d), 0, maxYear); err != nil || again != d {
			t.Errorf("%s is written as %s and read as %v, %v", text, foreign.FormatDuration(d), again, err)
		}
	}
}

// The test reads the example of every setting from the file and from its variable. Both must
// give the same value, which is not the default.
func TestConfig_EachSettingIsReadFromFileAndEnvironment(t *testing.T) {
	for _, s := range settings {
		if slices.Contains([]string{"keys.pkcs11.module", "keys.pkcs11.token", "keys.pkcs11.pin"}, s.key) {
			continue // only valid together, and not in every build: see TestConfig_PKCS11Settings
		}
		if slices.Contains([]string{"smtp.host", "smtp.port", "smtp.username", "smtp.password", "mail.from"}, s.key) {
			continue // only valid together: see TestConfig_MailSettings
		}
		if slices.Contains([]string{"events.webhook.url", "events.webhook.secret"}, s.key) {
			continue // only valid together: see TestConfig_WebhookSettings
		}
		t.Run(s.key, func(t *testing.T) {
			value := otherValue(t, s)
			beside := "" // a certificate needs its key
			if other := map[string]string{"tls.cert": "tls.key", "tls.key": "tls.cert"}[s.key]; other != "" {
				beside = yamlOf(other, "/other.pem")
			}
			byVariable, err := readConfig(Sources{File: fileWith(t, beside), Env: map[string]string{s.variable(): value}})
			if err != nil {
				t.Fatal(err)
			}
			byFile, err := readConfig(Sources{File: fileWith(t, yamlOf(s.key, value)+strings.TrimPrefix(beside, "tls:\n"))})
			if err != nil {
				t.Fatal(err)
			}
			byFlag, err := readConfig(Sources{File: fileWith(t, beside), Flags: map[string]string{s.key: value}})
			if err != nil {
				t.Fatal(err)
			}
			want := withSecrets(byVariable)
			if want == withSecrets(Default()) {
				t.Errorf("%s=%s changes nothing", s.variable(), value)
			}
			if got := withSecrets(byFile); got != want {
				t.Errorf("from the file: got %s, want %s", got, want)
			}
			if got := withSecrets(byFlag); got != want {
				t.Errorf("from a flag: got %s, want %s", got, want)
			}
		})
	}
}

// otherValue returns a valid value of the setting that is not its default.
func otherValue(t *testing.T, s setting) string {
	t.Helper()
	changed := map[string]string{ // for settings whose example is the default, prose, or a file
		"outbound.extra_ca":     authority(t),
		"events.webhook.secret": webhookSecret,
		"listen":                "localhost:1", "cookie_name": "other", "log.level": "debug", "passwords.threads": "2",
		"keys.algorithms": "RS256, ES256", "master_key": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
		"master_key_next": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
	}
	if other, ok := changed[s.key]; ok {
		return other
	}
	if strings.HasSuffix(s.key, "_max") {
		return "364d"
	}
	if strings.HasPrefix(s.key, "lifetimes.") && s.key != "lifetimes.trusted_browser" {
		return "59s"
	}
	return s.example
}

// withSecrets returns a configuration as text, with its secrets, for comparison.
func withSecrets(c Config) string {
	c.Outbound = outbound.Config{} // contains pointers; it is derived from ExtraCA and Proxy
	return fmt.Sprintf("%+v %s %s %s %s", c, c.Database.Reveal(), c.Master.Key.Reveal(), c.Master.Next.Reveal(), c.Proxy.Reveal()+c.Webhook.Secret.Reveal())
}

// readConfig returns the settings of the sources, or their mistakes as an error.
func readConfig(from Sources) (Config, error) {
	r := Read(from)
	return r.Config, r.Err()
}

// yamlOf returns one setting as YAML with its sections.
func yamlOf(key, value string) string {
	var b strings.Builder
	parts := strings.Split(key, ".")
	for depth, part := range parts {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", depth), part)
		if depth < len(parts)-1 {
			b.WriteString("\n")
		}
	}
	fmt.Fprintf(&b, " %q\n", value)
	return b.String()
}

// fileWith writes a settings file and returns its path.
func fileWith(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestConfig_FlagOverridesEnvironmentFileAndDefault(t *testing.T) {
	file := fileWith(t, "listen: localhost:1\n")
	env := map[string]string{"SIGNET_LISTEN": "localhost:2"}
	for want, from := range map[string]Sources{
		Default().Listen: {File: fileWith(t, "")},
		"localhost:1":    {File: file},
		"localhost:2":    {File: file, Env: env},
		"localhost:3":    {File: file, Env: env, Flags: map[string]string{"listen": "localhost:3"}},
	} {
		c, err := readConfig(from)
		if err != nil {
			t.Fatal(err)
		}
		if c.Listen != want {
			t.Errorf("got %s, want %s", c.Listen, want)
		}
	}
}

// TestConfig_SettingsOfTheMachine checks when the settings file of the machine is read: only if
// no other file is named and there is none in the working directory.
func TestConfig_SettingsOfTheMachine(t *testing.T) {
	machine, named := fileWith(t, "listen: localhost:1\n"), fileWith(t, "listen: localhost:2\n")
	t.Chdir(t.TempDir())
	listens := func(want string, from Sources) {
		t.Helper()
		read := Read(from)
		if err := read.Err(); err != nil || read.Config.Listen != want {
			t.Errorf("%+v: got %s, %v, want %s", from, read.Config.Listen, err, want)
		}
	}
	byVariable := map[string]string{"SIGNET_CONFIG": named}
	listens("localhost:1", Sources{System: machine})
	listens("localhost:2", Sources{System: machine, File: named})
	listens("localhost:2", Sources{System: machine, Env: byVariable})
	listens(Default().Listen, Sources{System: machine + ".missing"})
	listens(Default().Listen, Sources{})
	if _, watched := Read(Sources{System: machine}).Files[DefaultFile]; !watched {
		t.Errorf("a running server would not notice a new %s", DefaultFile)
	}
	if err := os.WriteFile(DefaultFile, []byte("listen: localhost:3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listens("localhost:3", Sources{System: machine})
	if read := Read(Sources{System: t.TempDir(), File: machine + ".missing"}); read.Err() == nil {
		t.Error("a named file that is missing was replaced with that of the machine")
	}
}

func TestConfig_YAMLListEqualsCommaSeparatedText(t *testing.T) {
	list, err := readConfig(Sources{File: fileWith(t, "trusted_proxies: [10.0.0.0/8, \"::1\", 192.0.2.7]\n")})
	if err != nil {
		t.Fatal(err)
	}
	commas, err := readConfig(Sources{File: fileWith(t, "trusted_proxies: 10.0.0.0/8, ::1, 192.0.2.7\n")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(list.TrustedProxies), "[10.0.0.0/8 ::1/128 192.0.2.7/32]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if fmt.Sprint(list.TrustedProxies) != fmt.Sprint(commas.TrustedProxies) {
		t.Errorf("with commas: %v", commas.TrustedProxies)
	}
}

// Every setting that must be random refuses a value that is not, and the error does not repeat
// it.
// CF-01: Missing, short or example secrets stop the start.
func TestRead_RefusesSecretsThatAreNotRandom(t *testing.T) {
	for _, s := range settings {
		if s.unit != "32 bytes, base64" {
			continue
		}
		for _, value := range []string{
			"", "secret", "changeme-changeme-changeme-change", s.example, "c2hvcnQ=", strings.Repeat("A", 43) + "=", strings.Repeat("/", 43) + "8=", strings.Repeat("a", 64),
			"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=AA",
		} {
			for where, from := range map[string]Sources{
				s.variable():           {File: fileWith(t, ""), Env: map[string]string{s.variable(): value}},
				s.variable() + "_FILE": {File: fileWith(t, ""), Env: map[string]string{s.variable() + "_FILE": fileWith(t, value)}},
				s.key:                  {File: fileWith(t, yamlOf(s.key, value))},
			} {
				if value == "" && where == s.variable() {
					continue // not set: see TestEnvironment_EmptyVariableIsNotSet
				}
				_, err := readConfig(from)
				if err == nil || !strings.Contains(err.Error(), where) {
					t.Errorf("%s %q: got %v", where, value, err)
				} else if output := strings.ReplaceAll(err.Error(), s.example, ""); len(value) > 6 && value != s.example && strings.Contains(output, value) {
					t.Errorf("%s: the mistake repeats %q: %s", where, value, output)
				}
			}
		}
	}
}

// Every key and variable is refused if a letter is missing, doubled or wrong, and the error
// suggests the right name.
// CF-05: An unknown or misspelled setting stops the start.
func TestRead_MisspeltSettingsAreRefused(t *testing.T) {
	known := map[string]bool{}
	for _, s := range settings {
		known[s.key] = true
	}
	refused := func(what, meant string, from Sources) {
		t.Helper()
		_, err := readConfig(from)
		if err == nil || !strings.Contains(err.Error(), "is not a setting") {
			t.Errorf("%s: got %v", what, err)
		} else if spelling.Nearest(what, []string{meant}) != "" && !strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%s: the error does not suggest %s: %v", what, meant, err)
		}
	}
	for _, s := range settings {
		end := len(s.key) - 2
		for _, wrong := range []string{s.key[:end] + s.key[end+1:], s.key[:end] + s.key[end:end+1] + s.key[end:], s.key[:end] + "Q" + s.key[end+1:], s.key + "s", strings.ToUpper(s.key)} {
			if known[wrong] {
				continue
			}
			refused(wrong, s.key, Sources{File: fileWith(t, yamlOf(wrong, s.example))})
			variable := "SIGNET_" + strings.ToUpper(strings.ReplaceAll(wrong, ".", "_"))
			if variable != s.variable() {
				refused(variable, s.variable(), Sources{File: fileWith(t, ""), Env: map[string]string{variable: s.example}})
			}
		}
		if !s.secret { // only a secret can be read from a file
			refused(s.variable()+"_FILE", s.variable(), Sources{File: fileWith(t, ""), Env: map[string]string{s.variable() + "_FILE": "/dev/null"}})
		}
	}
}

// Networks are accepted in every notation, but never a network of all addresses.
// HT-02: Forwarding headers from untrusted peers are ignored.
func TestRead_TrustedProxies(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.7": "[10.0.0.7/32]", "10.1.2.3/8": "[10.0.0.0/8]", "::1": "[::1/128]", "2001:db8::1/32": "[2001:db8::/32]", "fe80::1%eth0": "[fe80::1/128]",
		"::ffff:10.0.0.7": "[10.0.0.7/32]", "::ffff:10.0.0.0/104": "[10.0.0.0/8]", "": "[]",
		"0.0.0.0/0": "", "::/0": "", "::ffff:0.0.0.0/96": "", "10.0.0.0/33": "", "10.0.0": "", "10.0.0.7:80": "", "proxy.example.com": "", "10.0.0.0/8/8": "",
	} {
		got, err := parseNetworks(text)
		if (err != nil) != (want == "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
}

// Without settings, Signet listens only on this machine and trusts no proxy.
// CF-06: Everything optional is off by default.
func TestRead_DefaultsAreClosed(t *testing.T) {
	c := Default()
	if !strings.HasPrefix(c.Listen, "localhost:") || len(c.TrustedProxies) != 0 || c.Issuer != "" || c.Master.Key.Reveal() != "" {
		t.Errorf("got %+v", c)
	}
	if c.Passwords.Memory < 19*1024 || c.Passwords.Time < 2 {
		t.Errorf("the password hash is too cheap: %+v", c.Passwords)
	}
}

// No formatting verb that go vet accepts, no encoder and no unexported field prints a secret.
// CF-03: Secrets come from files or the environment and are never shown.
func TestSecrets_DoNotPrintThemselves(t *testing.T) {
	const canary = "canary-7f3a"
	c := Config{Database: federation.NewSecret(canary), Master: MasterKeys{Key: federation.NewSecret(canary)}}
	c.Connectors = []provider.Connector{{}}
	c.Connectors[0].ClientSecret, c.Connectors[0].ClientKey = federation.NewSecret(canary), federation.NewSecret(canary)
	hidden := struct{ one federation.Secret }{federation.NewSecret(canary)}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("config", "all", c, "one", c.Database)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("config", "all", c, "one", c.Database)
	inJSON, err := json.Marshal([]any{c.Database, c.Master, c.Connectors}) // the whole Config cannot be encoded, because it contains functions
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(map[string]any{"database": c.Database, "connector": c.Connectors[0].ClientSecret})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{
		logged.String(), string(inJSON), string(inYAML), fmt.Sprint(c), fmt.Sprintf("%5.1v", c.Database), fmt.Errorf("wrapped: %w", fmt.Errorf("%v", c.Database)).Error(),
	}
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "o", "b", "c", "U", "e", "t", "z"} {
		texts = append(texts, fmt.Sprintf("%"+verb, c), fmt.Sprintf("%"+verb, c.Database), fmt.Sprintf("%"+verb, c.Connectors[0].ClientSecret))
		if text := fmt.Sprintf("%"+verb, hidden); strings.Contains(text, canary) || strings.Contains(text, hex.EncodeToString([]byte(canary))) {
			t.Errorf("%%%s of a hidden field shows %s", verb, text)
		}
	}
	for _, text := range texts {
		if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(canary))) || strings.Contains(text, "99 97 110 97 114 121") {
			t.Errorf("the secret is in %s", text)
		}
		if !strings.Contains(text, "***") {
			t.Errorf("no mask in %s", text)
		}
	}
}

// CF-03: Secrets come from files or the environment and are never shown.
func TestSecrets_NoMistakeRepeatsASecret(t *testing.T) {
	const canary = "canary-7f3a"
	for _, s := range settings {
		if !s.secret {
			continue
		}
		for _, value := range []string{canary, "postgres://u:" + canary + "@%zz/", "mysql://u:" + canary + "@h/", "ftp://u:" + canary + "@h/", canary + "\x00"} {
			for where, from := range map[string]Sources{
				"environment": {File: fileWith(t, ""), Env: map[string]string{s.variable(): value}},
				"file":        {File: fileWith(t, yamlOf(s.key, strings.ReplaceAll(value, "\x00", "")))},
				"secret file": {File: fileWith(t, ""), Env: map[string]string{s.variable() + "_FILE": fileWith(t, value)}},
			} {
				// A password is any text; only a zero byte is wrong, and the file has none.
				isText := s.key == "database_password" && (where == "file" || !strings.Contains(value, "\x00"))
				_, err := readConfig(from)
				if (err == nil) != isText {
					t.Errorf("%s %q by %s: got %v", s.key, value, where, err)
				} else if err != nil && strings.Contains(err.Error(), canary) {
					t.Errorf("%s by %s: the mistake repeats the secret: %v", s.key, where, err)
				}
			}
		}
	}
}
