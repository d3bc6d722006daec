package program_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/signettest"
)

// observation is the visible effect of a setting. see creates an installation with the setting as in
// set, and returns what an observer sees. It must differ between the values a and b.
type observation struct {
	a, b string
	see  func(t *testing.T, h installTemplate, set string) string
}

// The test gives each setting two values and checks that a difference is visible: over HTTP, in the
// log, in files, or in the exit code. A setting without a visible effect has no purpose.
func TestSettings_EachHasAVisibleEffect(t *testing.T) {
	t.Parallel()
	h := newInstallTemplate(t)
	for key := range config.Units() {
		if strings.HasPrefix(key, "keys.pkcs11.") {
			continue // they need a module: see cmd/signet/keys/pkcs11_test.go
		}
		seen, ok := observations[key]
		if !ok {
			t.Errorf("%s has no observation: add one to observations", key)
			continue
		}
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			variable := "SIGNET_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "="
			first, second := seen.see(t, h, variable+seen.a), seen.see(t, h, variable+seen.b)
			if signettest.InSoak() {
				if again := seen.see(t, h, variable+seen.a); again != first {
					t.Errorf("%s: the observation is not stable: %s, then %s", seen.a, first, again)
				}
			}
			if first == second {
				t.Errorf("%s and %s have the same effect: %s", seen.a, seen.b, first)
			}
		})
	}
}

func decoded(t *testing.T, part string) []byte {
	t.Helper()
	content, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// otherMaster is a master key that has encrypted nothing.
const otherMaster = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="

// days holds settings with which sessions and grants last for days.
var days = []string{"SIGNET_LIFETIMES_SESSION=60d", "SIGNET_LIFETIMES_SESSION_KEPT=60d", "SIGNET_LIFETIMES_SESSION_MAX=90d"}

// afterIdling observes a refresh after two days without one.
func afterIdling(scope string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(days, set)...).serve()
		first := w.redeem(w.signIn(h.app, scope))
		w.later(48 * time.Hour)
		return w.refresh(first.Refresh).outcome()
	}
}

// afterUse observes a refresh after twelve days with one in between.
func afterUse(scope string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(days, "SIGNET_LIFETIMES_REFRESH=10d", "SIGNET_LIFETIMES_OFFLINE=10d", set)...).serve()
		first := w.redeem(w.signIn(h.app, scope))
		w.later(6 * 24 * time.Hour)
		second := w.refresh(first.Refresh)
		w.later(6 * 24 * time.Hour)
		return second.outcome() + ", then " + w.refresh(second.Refresh).outcome()
	}
}

// hashOf observes the parameters of a stored password hash.
func hashOf(t *testing.T, h installTemplate, set string) string {
	w := h.world(t, set)
	if code, _ := w.command("a wholly other sentence\n", "user", "create", "--email", "bob@example.com", "--password-stdin"); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var costs string
	for _, name := range []string{"signet.db", "signet.db-wal"} {
		content, _ := os.ReadFile(filepath.Join(w.dir, "data", name))
		costs += fmt.Sprint(regexp.MustCompile(`argon2id\$v=19\$(m=\d+,t=\d+,p=\d+)`).FindAllString(string(content), -1))
	}
	return costs
}

// guesses observes the answers to wrong passwords.
func guesses(names ...string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_FIRST_PARTY_CLIENT_ID=one", set).serve()
		var seen []int
		for _, name := range names {
			answer, _ := w.appLogin(name, "a wrong password")
			seen = append(seen, answer.StatusCode)
		}
		return fmt.Sprint(seen)
	}
}

// withoutSecret observes the answers to two requests of a client without a secret.
func withoutSecret(path, form string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set)
		if code, printed := w.command("", "client", "create", "--id", "tv", "--name", "TV", "--type", "native", "--redirect-uri", "http://127.0.0.1/callback"); code != 0 {
			t.Fatal(printed)
		}
		w.serve()
		var seen []string
		for range 2 {
			answer, _ := w.send(http.MethodPost, path, "client_id=tv&"+form, "Content-Type", "application/x-www-form-urlencoded")
			seen = append(seen, answer.Status)
		}
		return fmt.Sprint(seen)
	}
}

// connectorCheck returns the output of `connector check` for an upstream of the test.
func connectorCheck(issuer string, w *world) (printed string) {
	file := filepath.Join(w.dir, "corp.yaml")
	content := fmt.Sprintf("connectors:\n  - {id: corp, type: oidc, issuer: %q, client_id: signet, client_secret: x}\n", issuer)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	_, printed = w.command("", "connector", "check", "corp", "--json", "--config", file)
	return printed
}

// trusting observes whether an upstream is reached that has a certificate of the test's authority.
func trusting(t *testing.T, h installTemplate, set string) string {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	w := h.world(t)
	writeKeyPair(t, w.dir, "other", time.Now().Add(time.Hour))
	writePEMFile(t, filepath.Join(w.dir, "own.crt"), server.Certificate().Raw)
	name, value, _ := strings.Cut(set, "=")
	w.Env = append(w.Env, name+"="+filepath.Join(w.dir, value+".crt"))
	return fmt.Sprint(strings.Contains(connectorCheck(server.URL, w), "status 404"))
}

// proxied observes whether the proxy gets a request for the upstream.
func proxied(t *testing.T, h installTemplate, set string) string {
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	name, value, _ := strings.Cut(set, "=")
	connectorCheck("https://login.example.invalid", h.world(t, name+"="+strings.ReplaceAll(value, "PROXY", proxy.URL)))
	return fmt.Sprint(len(asked) > 0)
}

// rewrapped observes whether a server starts with one master key after a rewrap to the other.
func rewrapped(t *testing.T, h installTemplate, set string) string {
	w := h.world(t)
	own := strings.TrimSpace(string(h.files["master.key"]))
	w.Env = append(w.Env, "SIGNET_MASTER_KEY="+own, set)
	code, _ := w.command("", "keys", "rewrap")
	w.Env = append(w.Env[:len(w.Env)-2], "SIGNET_MASTER_KEY="+otherMaster)
	return fmt.Sprint(code, w.starts())
}

// loggedAddress observes the address of the visitor in the log.
func loggedAddress(t *testing.T, h installTemplate, set string) string {
	w := h.world(t, set)
	talk, _ := signettest.StartTalking(t, http.DefaultClient, w.Issuer, w.Env, "serve")
	w.send("GET", "/account", "", "X-Forwarded-For", "203.0.113.9")
	return fmt.Sprint(strings.Contains(talk.String(), `"address":"203.0.113.9"`))
}

// observedSecret is the key of the webhook in firstForwarded.
const observedSecret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

// firstForwarded observes the first request to a webhook after two acts: its path, the type of the event,
// and whether it is signed with observedSecret.
func firstForwarded(t *testing.T, h installTemplate, set string) string {
	seen := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(observedSecret, "whsec_"))
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		signed := r.Header.Get("webhook-signature") == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
		seen <- fmt.Sprint(r.URL.Path, signed, regexp.MustCompile(`"type":"[^"]*"`).FindString(string(body)))
	}))
	t.Cleanup(receiver.Close)
	w := h.world(t, "SIGNET_EVENTS_WEBHOOK_URL="+receiver.URL+"/hook", "SIGNET_EVENTS_WEBHOOK_SECRET="+observedSecret, strings.ReplaceAll(set, "URL/", receiver.URL+"/"))
	for _, command := range [][]string{{"client", "update", "one", "--name", "New"}, {"user", "create", "--email", "bob@example.com", "--password-stdin"}, {"user", "disable", "bob@example.com"}} {
		if code, _ := w.command("a wholly other sentence\n", command...); code != 0 {
			t.Fatalf("%v: exit code %d", command, code)
		}
	}
	w.serve()
	select {
	case first := <-seen:
		return first
	case <-time.After(time.Minute):
		t.Fatal("nothing was sent")
		return ""
	}
}
