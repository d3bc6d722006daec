package client_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/provider/directory"
	"signet/storage"
)

// terminal runs commands with its own database.
type terminal struct{ env []string }

func newTerminal(t *testing.T) terminal {
	t.Helper()
	s := terminal{[]string{"SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "SIGNET_KEYS_ALGORITHMS=RS256,ES256", "SIGNET_FRONTCHANNEL_LOGOUT=true"}}
	s.run(t, exit.OK, "migrate")
	return s
}

func (s terminal) run(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	if got := program.Run(t.Context(), signettest.Surroundings(s.env, "", &out, &talk), args); got != want {
		t.Fatalf("signet %q: exit code %d, want %d\n%s", args, got, want, &talk)
	}
	return out.String(), talk.String()
}

// shown is the parsed --json of a client, with the names of its members in order.
func (s terminal) shown(t *testing.T, id string) (map[string]any, []string) {
	t.Helper()
	text, _ := s.run(t, exit.OK, "client", "show", id, "--json")
	var client map[string]any
	if err := json.Unmarshal([]byte(text), &client); err != nil {
		t.Fatal(err)
	}
	in := json.NewDecoder(strings.NewReader(text))
	var names []string
	for depth, atName := 0, true; ; {
		token, err := in.Token()
		if err != nil {
			return client, names
		}
		if mark, is := token.(json.Delim); is {
			if mark == '{' || mark == '[' {
				depth++
			} else {
				depth--
			}
			atName = true
			continue
		}
		if depth == 1 && atName {
			names = append(names, token.(string))
		}
		atName = depth == 1 && !atName
	}
}

// values holds flags that set every field that a client of each type can have.
var values = map[storage.ClientType][]string{
	storage.Web: {
		"--redirect-uri", "https://a.example/cb", "--redirect-uri", "http://localhost:3000/cb?a=1&b=2", "--post-logout-redirect-uri", "https://a.example/bye",
		"--token-endpoint-auth-method", "private_key_jwt", "--jwks", "testdata/keys.json", "--grant-type", "authorization_code", "--grant-type", "client_credentials", "--response-type", "code",
		"--scope", "openid", "--scope", "email", "--client-uri", "https://a.example/", "--logo-uri", "https://a.example/logo.png", "--policy-uri", "https://a.example/privacy", "--tos-uri", "https://a.example/terms",
		"--contact", "ops@a.example", "--contact", "Ada <ada@a.example>", "--subject-type", "public", "--id-token-signed-response-alg", "ES256", "--userinfo-signed-response-alg", "RS256", "--default-max-age", "0",
		"--require-auth-time", "--default-acr-value", "urn:signet:1fa", "--initiate-login-uri", "https://a.example/login", "--backchannel-logout-uri", "https://a.example/out", "--backchannel-logout-session-required",
		"--frontchannel-logout-uri", "https://a.example/out?a=1", "--frontchannel-logout-session-required",
		"--software-id", "photos", "--software-version", "1.2",
		"--require-pushed-authorization-requests", "--request-object-signing-alg", "ES256", "--require-signed-request-object", "--first-party", "--skip-consent", "--introspect", "--pkce-optional", "--prompt-login", "best-effort", "--unverified-email", "--claims-in-id-token", "--require-acr", "urn:signet:2fa",
		"--resource", "https://api.example/", "--audience", "https://a.example/api", "--allow-origin", "https://a.example", "--refresh-grace", "0s",
	},
	storage.SPA:    {"--redirect-uri", "https://a.example/", "--refresh-grace", "90s"},
	storage.Native: {"--redirect-uri", "com.example.app:/cb", "--default-max-age", "3600"},
	storage.Service: {"--scope", "photos:read", "--resource", "https://api.example/", "--token-endpoint-auth-method", "private_key_jwt",
		"--jwks-uri", "https://a.example/keys", "--token-endpoint-auth-signing-alg", "ES256"},
}

// The test also creates the client again from its JSON.
func TestClientShow_TextAndJSONHaveTheSameMembers(t *testing.T) {
	s := newTerminal(t)
	sector := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `["https://a.example/"]`) }))
	t.Cleanup(sector.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sector.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "SIGNET_OUTBOUND_EXTRA_CA="+authority)
	tested := map[string]bool{}
	for kind, flags := range values {
		id := string(kind)
		if kind == storage.SPA {
			flags = append(slices.Clone(flags), "--subject-type", "pairwise", "--sector-identifier-uri", sector.URL+"/sector.json")
		}
		s.run(t, exit.OK, slices.Concat([]string{"client", "create", "--id", id, "--name", "An <app> & more", "--type", id}, flags)...)
		client, names := s.shown(t, id)
		for name := range client {
			tested[name] = true
		}
		var rows []string
		text, _ := s.run(t, exit.OK, "client", "show", id)
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if _, found := client[name]; !found && name == "token_endpoint_auth_method" {
				continue // not set: only the table shows it
			}
			rows = append(rows, name)
			if got, want := strings.TrimSpace(value), inText(client[name]); got != want && name != "client_id_issued_at" {
				t.Errorf("%s %s: the table has %q, the JSON %q", kind, name, got, want)
			}
		}
		if !slices.Equal(rows, names) {
			t.Errorf("%s: the table has\n%q\nbut the JSON has\n%q", kind, rows, names)
		}
		s.run(t, exit.OK, slices.Concat([]string{"client", "create", "--id", "again-" + id}, asFlags(t, client))...)
		again, _ := s.shown(t, "again-"+id)
		for _, own := range []string{"client_id", "client_id_issued_at"} {
			delete(client, own)
			delete(again, own)
		}
		if !reflect.DeepEqual(client, again) {
			t.Errorf("%s: created from its JSON: got\n%v\nwant\n%v", kind, again, client)
		}
	}
	for _, f := range directory.ClientFields() {
		if !tested[f.Name] {
			t.Errorf("%s is not tested, or not shown", f.Name)
		}
	}
}

func inText(value any) string {
	if list, is := value.([]any); is {
		return strings.Trim(fmt.Sprint(list), "[]")
	}
	if object, is := value.(map[string]any); is {
		text, _ := json.Marshal(object)
		return string(text)
	}
	return fmt.Sprint(value)
}

// asFlags returns the flags that create the shown client.
func asFlags(t *testing.T, client map[string]any) []string {
	t.Helper()
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(client)) {
		if slices.Contains([]string{"client_id", "client_id_issued_at", "enabled"}, name) {
			continue
		}
		flag := "--" + strings.ReplaceAll(name, "_", "-")
		if name == "client_name" {
			flag = "--name"
		}
		switch value := client[name].(type) {
		case []any:
			for _, each := range value {
				flags = append(flags, strings.TrimSuffix(flag, "s"), each.(string))
			}
		case map[string]any:
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, []byte(inText(value)), 0o600); err != nil {
				t.Fatal(err)
			}
			flags = append(flags, flag+"="+file)
		case string:
			flags = append(flags, flag+"="+value)
		default:
			flags = append(flags, fmt.Sprintf("%s=%v", flag, value))
		}
	}
	return flags
}

// Each field has its flag in create and update, and the help lists it.
func TestClientFlags_AreTheFieldsOfTheDirectory(t *testing.T) {
	s := newTerminal(t)
	s.run(t, exit.OK, "client", "create", "--id", "app", "--name", "App", "--redirect-uri", "https://a.example/cb")
	for _, act := range [][]string{{"client", "create", "--name", "B", "--redirect-uri", "https://b.example/cb"}, {"client", "update", "app"}} {
		help, _ := s.run(t, exit.OK, act[0], act[1], "--help")
		for _, f := range directory.ClientFields() {
			flag := strings.ReplaceAll(f.Name, "_", "-")
			if _, list := f.At(new(storage.Client)).(*[]string); list {
				flag = strings.TrimSuffix(flag, "s")
			}
			if f.Name == "client_name" {
				flag = "name"
			}
			if !strings.Contains(help, " --"+flag+" ") {
				t.Errorf("the help of %s %s does not list --%s", act[0], act[1], flag)
			}
		}
	}
	s.run(t, exit.Denied, "client", "create", "--name", "C", "--type", "spa", "--redirect-uri", "https://a.example/", "--grant-type", storage.GrantCode, "--grant-type", storage.GrantDevice)
	s.run(t, exit.OK, "client", "create", "--name", "C", "--type", "native", "--grant-type", storage.GrantDevice, "--response-type", "")
}
