package signettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
)

// AccessCookie returns the access token that a first-party app receives as a cookie.
func (i *Instance) AccessCookie(t *testing.T) string {
	t.Helper()
	return i.AppCookies(t)["access_token"]
}

// AppCookies signs in as the first-party app does, and returns the cookies that are set.
func (i *Instance) AppCookies(t *testing.T) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.Issuer+"/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, i.Email, i.Password)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", strings.TrimSuffix(i.Issuer, "/auth"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	set := map[string]string{}
	for _, cookie := range answer.Cookies() {
		set[cookie.Name] = cookie.Value
	}
	if set["access_token"] == "" {
		t.Fatalf("no access token: %s, %v", answer.Status, answer.Cookies())
	}
	return set
}

// Soon returns settings for quick rotation: the next keys are published for two seconds
// before they may sign.
var Soon = []string{"SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s"}

// Rotate waits until the next keys may sign, rotates, and waits until the server publishes
// the new next keys. A relying party that reads the JWKS before that has not had the time
// that a key must be published.
func (i *Instance) Rotate(t *testing.T) {
	t.Helper()
	Eventually(t, 20*time.Second, "the next keys may sign", func() bool {
		var said bytes.Buffer
		code := program.Run(t.Context(), Surroundings(i.Env, "", &said, &said), []string{"keys", "rotate"})
		if code != exit.OK && code != exit.Conflict {
			t.Fatalf("exit code %d: %s", code, said.String())
		}
		return code == exit.OK
	})
	next := i.Kid(t, "RS256", "next")
	Eventually(t, 20*time.Second, "the server follows", func() bool {
		_, jwks := Get(t, i.Issuer+"/jwks")
		return strings.Contains(jwks, next)
	})
}

// KeyRow is a key in the output of `keys list --json`.
type KeyRow struct {
	KeyID string `json:"kid"`
	Alg   string `json:"alg"`
	State string `json:"state"`
}

// Keys lists all keys.
func (i *Instance) Keys(t *testing.T) []KeyRow {
	t.Helper()
	var list struct{ Keys []KeyRow }
	i.Command(t, "", &list, "keys", "list", "--all", "--json")
	return list.Keys
}

// Kid returns the id of the first key in the state.
func (i *Instance) Kid(t *testing.T, alg, state string) string {
	t.Helper()
	for _, k := range i.Keys(t) {
		if k.Alg == alg && k.State == state {
			return k.KeyID
		}
	}
	t.Fatalf("there is no %s %s key", state, alg)
	return ""
}

// Nowhere is a redirect URI that no test opens.
const Nowhere = "http://127.0.0.1:9/callback"

// CodeVerifier is the verifier of all codes (RFC 7636, appendix B).
const CodeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Instance is an installation with one user, clients, and `signet serve`.
type Instance struct {
	Issuer, Email, Password string
	Env                     []string
}

// NewInstance creates an installation with one user. It starts no process.
func NewInstance(t testing.TB) *Instance {
	t.Helper()
	i := describeInstance(t)
	i.Command(t, "", nil, "migrate")
	i.Command(t, i.Password, nil, "user", "create", "--email", i.Email, "--email-verified", "--password-stdin", "--json")
	return i
}

// describeInstance chooses the settings of an installation, and creates nothing.
func describeInstance(t testing.TB) *Instance {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	i := &Instance{Issuer: "http://" + listen, Email: "alice@example.com", Password: "correct horse battery staple"}
	i.Env = []string{
		"SIGNET_ISSUER=" + i.Issuer,
		"SIGNET_LISTEN=" + listen,
		"SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
	}
	return i
}

// CreatedClient holds the id and the secret of a new client.
type CreatedClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// CreateClient creates a client with the flags.
func (i *Instance) CreateClient(t testing.TB, args ...string) (c CreatedClient) {
	t.Helper()
	i.Command(t, "", &c, append([]string{"client", "create", "--name", "A relying party", "--json"}, args...)...)
	return c
}

// Command runs a command that must succeed, and reads its output as JSON.
func (i *Instance) Command(t testing.TB, stdin string, out any, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := program.Run(t.Context(), Surroundings(i.Env, stdin, &stdout, &stderr), args); code != exit.OK {
		t.Fatalf("signet %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("signet %s printed %q: %v", strings.Join(args, " "), stdout.String(), err)
	}
}

// DataDir returns the folder of the database.
func (i *Instance) DataDir(t *testing.T) string {
	t.Helper()
	for _, setting := range i.Env {
		if dir, is := strings.CutPrefix(setting, "SIGNET_DATA_DIR="); is {
			return dir
		}
	}
	t.Fatal("it has no data directory of its own")
	return ""
}

// Serve runs `signet serve` in the process of the test, until the test ends.
func (i *Instance) Serve(t *testing.T) {
	t.Helper()
	StartSignet(t, i.Issuer, i.Env, "serve")
}

// CommandFails runs a command that must end with the exit code, and returns its messages.
func (i *Instance) CommandFails(t *testing.T, want int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := program.Run(t.Context(), Surroundings(i.Env, "", &stdout, &stderr), args); code != want {
		t.Fatalf("signet %s: exit code %d, want %d: %s", strings.Join(args, " "), code, want, stderr.String())
	}
	return stderr.String()
}
