package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everyVariable lists the names of all settings in the environment, those of files and of
// the connectors that need no settings file among them.
func everyVariable(t *testing.T) []string {
	t.Helper()
	r := newReading()
	names := slices.Concat([]string{fileVariable}, r.readVariables(nil), r.readConnectorVariables(nil))
	if len(names) < len(settings)+8 {
		t.Fatalf("only %d variables are known", len(names))
	}
	return names
}

func TestEnvironment_AnEmptyVariableCountsAsNotSet(t *testing.T) {
	file := written(t, "trusted_proxies: 10.0.0.0/8\ndatabase: postgres://db.example.com/signet\naccounts:\n  edit_username: true\nlog:\n  level: debug\n")
	want, err := readConfig(Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	empty := map[string]string{"SIGNET_ISUER": ""}
	for _, name := range everyVariable(t) {
		empty[name] = ""
		got, err := readConfig(Sources{File: file, Env: map[string]string{name: ""}})
		if err != nil || revealed(got) != revealed(want) {
			t.Errorf("%s empty: %v, %s", name, err, revealed(got))
		}
		for _, blank := range []string{" ", "\t", "\n", " \r\n "} {
			_, err := readConfig(Sources{File: file, Env: map[string]string{name: blank}})
			if err == nil || !strings.Contains(err.Error(), name+": holds nothing but white space") || strings.Contains(err.Error(), "2 mistakes") {
				t.Errorf("%s=%q: %v", name, blank, err)
			}
		}
	}
	got, err := readConfig(Sources{File: file, Env: empty})
	if err != nil || revealed(got) != revealed(want) {
		t.Errorf("all empty: %v, %s", err, revealed(got))
	}
}

// A secret that is named twice is ambiguous only if both names say something.
func TestEnvironment_AnEmptyNameOfASecretLeavesTheOther(t *testing.T) {
	for _, s := range settings {
		if !s.secret || strings.HasPrefix(s.key, "keys.pkcs11") {
			continue
		}
		value := otherValue(t, s)
		want, err := readConfig(Sources{File: written(t, ""), Env: map[string]string{s.variable(): value}})
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range []map[string]string{
			{s.variable(): "", s.variable() + "_FILE": written(t, value+"\n")},
			{s.variable(): value, s.variable() + "_FILE": ""},
		} {
			if got, err := readConfig(Sources{File: written(t, ""), Env: env}); err != nil || revealed(got) != revealed(want) {
				t.Errorf("%v: %v", slices.Sorted(maps.Keys(env)), err)
			}
		}
		for _, nothing := range []string{"", "\n", " \r\n"} {
			_, err := readConfig(Sources{File: written(t, ""), Env: map[string]string{s.variable() + "_FILE": written(t, nothing)}})
			if err == nil || !strings.Contains(err.Error(), "which is empty") {
				t.Errorf("%s_FILE with %q: %v", s.variable(), nothing, err)
			}
		}
	}
}

// A secret that stands where the name of its file belongs is not repeated, by a variable or
// by the settings file; a path that names no file is.
func TestSecretFile_WhatMayBeTheSecretIsNotTold(t *testing.T) {
	at := t.TempDir()
	t.Chdir(at)
	sources := func(file string) map[string]Sources {
		all := map[string]Sources{"google": {File: written(t, ""), Env: map[string]string{"SIGNET_GOOGLE_CLIENT_ID": "a", "SIGNET_GOOGLE_CLIENT_SECRET_FILE": file}}}
		for _, s := range settings {
			if s.secret {
				all[s.variable()] = Sources{File: written(t, ""), Env: map[string]string{s.variable() + "_FILE": file}}
			}
		}
		for _, o := range connectorOptions {
			if o.secret {
				all["connectors."+o.key] = Sources{File: written(t, "connectors:\n  - {id: a, type: oidc, client_id: a, issuer: https://a.example.com, "+o.key+"_file: '"+file+"'}\n")}
			}
		}
		return all
	}
	told := func(s Sources) string {
		var text string
		for _, m := range Read(s).Mistakes {
			text += m.Text + "\n"
		}
		return text
	}
	for _, secret := range []string{"zqxw-vkjp", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", "q83v/zqxwZ4mrze8BI0VniavN7wEjRWeJq83v/vkjp=", "postgres://signet:zqxw@db.example.com/base"} {
		for name, s := range sources(secret) {
			text := told(s)
			if !strings.Contains(text, "cannot be read") || !strings.Contains(text, "may be the secret itself") || strings.Contains(text, "zqxw") || strings.Contains(text, "q83v") {
				t.Errorf("%s holds %q: %s", name, secret, text)
			}
		}
	}
	for _, path := range []string{"/run/nowhere/secret", "./secret", "../secret"} {
		for name, s := range sources(path) {
			if text := told(s); !strings.Contains(text, filepath.Base(path)+", which cannot be read") {
				t.Errorf("%s names %q: %s", name, path, text)
			}
		}
	}
}

// linksOf are the variables that Kubernetes and Docker set for a service, whose name is
// in upper case here with _ for -.
func linksOf(service string) map[string]string {
	links := map[string]string{
		"_SERVICE_HOST": "10.0.0.11", "_SERVICE_PORT": "8080", "_SERVICE_PORT_HTTP": "8080", "_SERVICE_PORT_HTTP_ADMIN": "8081",
		"_PORT": "tcp://10.0.0.11:8080", "_NAME": "/web/signet-1", "_ENV_PATH": "/usr/bin", "_ENV_SIGNET_ISUER": "x", "_ENV_EMPTY": " ",
	}
	for _, port := range []string{"_PORT_8080_TCP", "_PORT_53_UDP", "_PORT_9_SCTP"} {
		scheme := strings.ToLower(port[strings.LastIndex(port, "_")+1:])
		for suffix, value := range map[string]string{
			"": scheme + "://10.0.0.11:8080", "_PROTO": scheme, "_PORT": "8080", "_ADDR": "10.0.0.11",
			"_START": scheme + "://10.0.0.11:8080", "_PORT_START": "8080", "_END": scheme + "://10.0.0.11:8089", "_PORT_END": "8089",
		} {
			links[port+suffix] = value
		}
	}
	named := map[string]string{}
	for suffix, value := range links {
		named[service+suffix] = value
		if strings.HasPrefix(value, "10.") {
			named[service+"_V6"+suffix] = "fd00::11"
		}
		if scheme, _, ok := strings.Cut(value, "://"); ok {
			named[service+"_V6"+suffix] = scheme + "://[fd00::11]:8080"
		}
	}
	return named
}

// Services may be named as the program is, as a setting is, and as a part of one.
func TestEnvironment_PassesOverServiceLinks(t *testing.T) {
	want, err := readConfig(Sources{File: written(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	services := []string{"SIGNET", "SIGNET_WEB", "SIGNET_DB_1", "SIGNET_SERVICE", "SIGNET_PORT", "SIGNET_COOKIE", "SIGNET_2"}
	services = append(services, everyVariable(t)...)
	all := map[string]string{}
	for _, service := range services {
		links := linksOf(service)
		maps.Copy(all, links)
		if got, err := readConfig(Sources{File: written(t, ""), Env: links}); err != nil || revealed(got) != revealed(want) {
			t.Errorf("a service named %s: %v", service, err)
		}
	}
	if got, err := readConfig(Sources{File: written(t, ""), Env: all}); err != nil || revealed(got) != revealed(want) {
		t.Errorf("all of them at once: %v", err)
	}
}

// The name of a service's variable is not enough: with another value it is a setting
// that somebody made up, and is refused as each of them is.
func TestEnvironment_RefusesWhatOnlyLooksLikeAServiceLink(t *testing.T) {
	for name, values := range map[string][]string{
		"SIGNET_PORT":               {"8080", "http://10.0.0.11:8080", "tcp://", "tcp://10.0.0.11", "tcp://:8080", "tcp://example.com:8080", ":8080"},
		"SIGNET_SERVICE_HOST":       {"id.example.com", "localhost", "10.0.0.11:8080"},
		"SIGNET_SERVICE_PORT":       {"http", "0", "65536", "-1", "10.0.0.11"},
		"SIGNET_SERVICE_PORT_HTTP":  {"http"},
		"SIGNET_PORT_8080_TCP":      {"8080"},
		"SIGNET_PORT_8080_TCP_ADDR": {"example.com"},
		"SIGNET_NAME":               {"Signet", "/Signet", "/a/b/c"},
		"SIGNET_ENV_ISSUER":         {"https://id.example.com"}, // without a link's name beside it
		"SIGNET_LISTEN_PORT":        {"8080"},
		"SIGNET_ISSUER_PROTO":       {"tcp"},
		"SIGNET_ISSUER_ADDR":        {"10.0.0.11"},
		"SIGNET_TLS_PORT":           {"8443"},
	} {
		for _, value := range values {
			_, err := readConfig(Sources{File: written(t, ""), Env: map[string]string{name: value}})
			if err == nil || !strings.Contains(err.Error(), name+": is not a setting") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

// Where a setting has the name of a service's variable, nothing is lost by passing over
// such a value: the setting refuses it.
func TestEnvironment_NoSettingTakesTheValueOfAServiceLink(t *testing.T) {
	values := map[string]bool{}
	for _, value := range linksOf("SIGNET") {
		values[value] = true
	}
	for _, s := range settings {
		for value := range values {
			if into := Default(); isServiceLink(s.variable(), value) && s.set(&into, value) == nil {
				t.Errorf("%s=%s is a good setting, and is passed over", s.variable(), value)
			}
		}
	}
}
