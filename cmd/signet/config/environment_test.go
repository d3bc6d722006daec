package config

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// everyVariable returns the names of all variables that are settings, including NAME_FILE and
// those of connectors.
func everyVariable(t *testing.T) []string {
	t.Helper()
	r := newReading()
	names := slices.Concat([]string{fileVariable}, r.readVariables(nil), r.readConnectorVariables(nil))
	if len(names) < len(settings)+8 {
		t.Fatalf("got only %d variables", len(names))
	}
	return names
}

func TestEnvironment_EmptyVariableIsNotSet(t *testing.T) {
	file := fileWith(t, "trusted_proxies: 10.0.0.0/8\ndatabase: postgres://db.example.com/signet\naccounts:\n  edit_username: true\nlog:\n  level: debug\n")
	want, err := readConfig(Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	empty := map[string]string{"SIGNET_ISUER": ""}
	for _, name := range everyVariable(t) {
		empty[name] = ""
		got, err := readConfig(Sources{File: file, Env: map[string]string{name: ""}})
		if err != nil || withSecrets(got) != withSecrets(want) {
			t.Errorf("%s empty: %v, %s", name, err, withSecrets(got))
		}
		for _, blank := range []string{" ", "\t", "\n", " \r\n "} {
			_, err := readConfig(Sources{File: file, Env: map[string]string{name: blank}})
			if err == nil || !strings.Contains(err.Error(), name+": contains only white space") || strings.Contains(err.Error(), "2 mistakes") {
				t.Errorf("%s=%q: %v", name, blank, err)
			}
		}
	}
	got, err := readConfig(Sources{File: file, Env: empty})
	if err != nil || withSecrets(got) != withSecrets(want) {
		t.Errorf("all empty: %v, %s", err, withSecrets(got))
	}
}

// A secret and its file are ambiguous only if both variables have a value.
func TestEnvironment_EmptyVariableOfASecretIsIgnored(t *testing.T) {
	for _, s := range settings {
		if !s.secret || strings.HasPrefix(s.key, "keys.pkcs11") || s.key == "smtp.password" || s.key == "events.webhook.secret" { // they need other settings
			continue
		}
		value := otherValue(t, s)
		want, err := readConfig(Sources{File: fileWith(t, ""), Env: map[string]string{s.variable(): value}})
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range []map[string]string{
			{s.variable(): "", s.variable() + "_FILE": fileWith(t, value+"\n")},
			{s.variable(): value, s.variable() + "_FILE": ""},
		} {
			if got, err := readConfig(Sources{File: fileWith(t, ""), Env: env}); err != nil || withSecrets(got) != withSecrets(want) {
				t.Errorf("%v: %v", slices.Sorted(maps.Keys(env)), err)
			}
		}
		for _, nothing := range []string{"", "\n", " \r\n"} {
			_, err := readConfig(Sources{File: fileWith(t, ""), Env: map[string]string{s.variable() + "_FILE": fileWith(t, nothing)}})
			if err == nil || !strings.Contains(err.Error(), "which is empty") {
				t.Errorf("%s_FILE with %q: %v", s.variable(), nothing, err)
			}
		}
	}
}

// If an operator writes the secret itself instead of its file, the error does not repeat it. It
// does repeat a path that names no file.
func TestSecretFile_ErrorDoesNotRepeatASecret(t *testing.T) {
	at := t.TempDir()
	t.Chdir(at)
	sources := func(file string) map[string]Sources {
		all := map[string]Sources{"google": {File: fileWith(t, ""), Env: map[string]string{"SIGNET_GOOGLE_CLIENT_ID": "a", "SIGNET_GOOGLE_CLIENT_SECRET_FILE": file}}}
		for _, s := range settings {
			if s.secret {
				all[s.variable()] = Sources{File: fileWith(t, ""), Env: map[string]string{s.variable() + "_FILE": file}}
			}
		}
		for _, o := range connectorOptions {
			if o.secret {
				all["connectors."+o.key] = Sources{File: fileWith(t, "connectors:\n  - {id: a, type: oidc, client_id: a, issuer: https://a.example.com, "+o.key+"_file: '"+file+"'}\n")}
			}
		}
		return all
	}
	messageOf := func(s Sources) string {
		var text string
		for _, m := range Read(s).Mistakes {
			text += m.Text + "\n"
		}
		return text
	}
	for _, secret := range []string{"zqxw-vkjp", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", "q83v/zqxwZ4mrze8BI0VniavN7wEjRWeJq83v/vkjp=", "postgres://signet:zqxw@db.example.com/base"} {
		for name, s := range sources(secret) {
			text := messageOf(s)
			if !strings.Contains(text, "cannot be read") || !strings.Contains(text, "may be the secret itself") || strings.Contains(text, "zqxw") || strings.Contains(text, "q83v") {
				t.Errorf("%s = %q: the error repeats the secret: %s", name, secret, text)
			}
		}
	}
	for _, path := range []string{"/run/nowhere/secret", "./secret", "../secret"} {
		for name, s := range sources(path) {
			if text := messageOf(s); !strings.Contains(text, filepath.Base(path)+", which cannot be read") {
				t.Errorf("%s = %q: the error does not name the path: %s", name, path, text)
			}
		}
	}
}

// linksOf returns the variables that Kubernetes and Docker set for a service. service is its
// name in upper case, with _ instead of -.
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

// portOf is a port of a Kubernetes service; the name may be empty.
type portOf struct {
	name, protocol string
	number         int
}

// kubernetesLinks returns the variables of a service, in the way of kubelet (pkg/kubelet/envvars):
// a headless service and one without ports have none.
func kubernetesLinks(service, address string, ports ...portOf) map[string]string {
	links := map[string]string{}
	if address == "" || address == "None" || len(ports) == 0 {
		return links
	}
	upper := func(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
	prefix := upper(service)
	links[prefix+"_SERVICE_HOST"] = address
	links[prefix+"_SERVICE_PORT"] = strconv.Itoa(ports[0].number)
	for i, port := range ports {
		if port.name != "" {
			links[prefix+"_SERVICE_PORT_"+upper(port.name)] = strconv.Itoa(port.number)
		}
		at := strings.ToLower(port.protocol) + "://" + net.JoinHostPort(address, strconv.Itoa(port.number))
		if i == 0 {
			links[prefix+"_PORT"] = at
		}
		base := fmt.Sprintf("%s_PORT_%d_%s", prefix, port.number, port.protocol)
		links[base], links[base+"_PROTO"] = at, strings.ToLower(port.protocol)
		links[base+"_PORT"], links[base+"_ADDR"] = strconv.Itoa(port.number), address
	}
	return links
}

// Each setting is the name of a service, alone and with a suffix: signet-tls-cert sets
// SIGNET_TLS_CERT_PORT. The services have one port or several, with names or without, and IPv4 or
// IPv6 addresses; outside make soak the services take turns with the addresses. Settings in the
// same environment keep their values.
func TestEnvironment_IgnoresTheServicesOfKubernetes(t *testing.T) {
	ours := map[string]string{"SIGNET_ISSUER": "https://id.example.com", "SIGNET_LISTEN": "127.0.0.1:8443", "SIGNET_COOKIE_NAME": "mine", "SIGNET_MASTER_KEY_FILE": fileWith(t, "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\n")}
	want, err := readConfig(Sources{File: fileWith(t, ""), Env: ours})
	if err != nil {
		t.Fatal(err)
	}
	services := []string{"signet", "signet-2", "signet-db", "signet-service", "signet-port", "signet-port-80-tcp", "signet-a-service-host"}
	for _, name := range everyVariable(t) {
		service := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		services = append(services, service, service+"-1", service+"-port", service+"-service", service+"-name")
	}
	forms := [][]portOf{
		{{"", "TCP", 80}}, {{"http", "TCP", 8080}}, {{"http", "TCP", 80}, {"https", "TCP", 443}, {"admin-2", "TCP", 9090}},
		{{"dns", "UDP", 53}, {"dns-tcp", "TCP", 53}}, {{"sigtran", "SCTP", 2905}}, {{"p2p-1-a", "TCP", 65535}, {"file", "TCP", 1}, {"name", "UDP", 2}, {"9p", "TCP", 564}},
	}
	file, all := fileWith(t, ""), maps.Clone(ours)
	for i, service := range services {
		addresses := []string{"10.96.0.11", "fd00:10:96::b", "None", ""}
		if os.Getenv("SIGNET_SOAK") == "" {
			addresses = addresses[i%4 : i%4+1]
		}
		for _, address := range addresses {
			env := maps.Clone(ours)
			maps.Copy(env, kubernetesLinks(service, address, forms[i%len(forms)]...))
			maps.Copy(env, kubernetesLinks(service+"-"+strconv.Itoa(i), address, slices.Concat(forms...)...))
			maps.Copy(all, env)
			if got, err := readConfig(Sources{File: file, Env: env}); err != nil || withSecrets(got) != withSecrets(want) {
				t.Errorf("a service %s at %q: %v", service, address, err)
			}
		}
	}
	if got, err := readConfig(Sources{File: fileWith(t, ""), Env: all}); err != nil || withSecrets(got) != withSecrets(want) {
		t.Errorf("all of them at once: %v", err)
	}
}

// The name of a service may equal the name of the program, of a setting, or of a part of one.
func TestEnvironment_IgnoresServiceLinks(t *testing.T) {
	want, err := readConfig(Sources{File: fileWith(t, "")})
	if err != nil {
		t.Fatal(err)
	}
	services := []string{"SIGNET", "SIGNET_WEB", "SIGNET_DB_1", "SIGNET_SERVICE", "SIGNET_PORT", "SIGNET_COOKIE", "SIGNET_2", "SIGNET_WEB.1"}
	services = append(services, everyVariable(t)...)
	all := map[string]string{}
	for _, service := range services {
		links := linksOf(service)
		maps.Copy(all, links)
		if got, err := readConfig(Sources{File: fileWith(t, ""), Env: links}); err != nil || withSecrets(got) != withSecrets(want) {
			t.Errorf("a service named %s: %v", service, err)
		}
	}
	if got, err := readConfig(Sources{File: fileWith(t, ""), Env: all}); err != nil || withSecrets(got) != withSecrets(want) {
		t.Errorf("all of them at once: %v", err)
	}
}

// A variable with the name of a service link but another value is refused as an unknown
// setting.
func TestEnvironment_RefusesFalseServiceLinks(t *testing.T) {
	for name, values := range map[string][]string{
		"SIGNET_PORT":               {"8080", "http://10.0.0.11:8080", "tcp://", "tcp://10.0.0.11", "tcp://:8080", "tcp://example.com:8080", ":8080"},
		"SIGNET_SERVICE_HOST":       {"id.example.com", "localhost", "10.0.0.11:8080"},
		"SIGNET_SERVICE_PORT":       {"http", "0", "65536", "-1", "10.0.0.11"},
		"SIGNET_SERVICE_PORT_HTTP":  {"http"},
		"SIGNET_PORT_8080_TCP":      {"8080"},
		"SIGNET_PORT_8080_TCP_ADDR": {"example.com"},
		"SIGNET_NAME":               {"Signet", "/Signet", "/a/b/c"},
		"SIGNET_ENV_ISSUER":         {"https://id.example.com"}, // without SIGNET_NAME, so it is no link
		"SIGNET_LISTEN_PORT":        {"8080"},
		"SIGNET_ISSUER_PROTO":       {"tcp"},
		"SIGNET_ISSUER_ADDR":        {"10.0.0.11"},
		"SIGNET_TLS_PORT":           {"8443"},
	} {
		for _, value := range values {
			_, err := readConfig(Sources{File: fileWith(t, ""), Env: map[string]string{name: value}})
			if err == nil || !strings.Contains(err.Error(), name+": is not a setting") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

// If a setting and a service link have the same name, the setting refuses the value of the
// link. So ignoring the link loses no setting.
func TestEnvironment_NoSettingAcceptsTheValueOfAServiceLink(t *testing.T) {
	values := map[string]bool{}
	for _, value := range linksOf("SIGNET") {
		values[value] = true
	}
	for _, s := range settings {
		for value := range values {
			if into := Default(); isServiceLink(s.variable(), value) && s.set(&into, value) == nil {
				t.Errorf("%s=%s is a valid setting, but it is ignored", s.variable(), value)
			}
		}
	}
}
