package browser_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// elsewhere is another provider on loopback that serves as an upstream.
type elsewhere struct {
	kind, issuer           string
	clientID, clientSecret string
	name, password         string // of the person that signs in there
	email                  string
	stop                   func()
}

// TestUpstreams_OfOtherProviders signs in through oidc-provider and through another Signet, in
// a real browser.
func TestUpstreams_OfOtherProviders(t *testing.T) {
	for name, start := range map[string]func(*testing.T, string) elsewhere{"oidc-provider": startOIDCProvider, "another Signet": startAnotherSignet} {
		t.Run(name, func(t *testing.T) {
			i := signettest.NewInstance(t)
			up := start(t, i.Issuer+"/login/elsewhere/callback")
			application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, `<!doctype html><html lang="en"><title>Back</title><link rel="icon" href="data:,">`)
			}))
			t.Cleanup(application.Close)
			client := i.CreateClient(t, "--redirect-uri", application.URL+"/callback")
			now, clock := signettest.MovedClock(t)
			signettest.StartSignetAt(t, now, i.Issuer, i.Env, "serve", "--config", up.settings(t))
			stopper := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { up.stop() }))
			t.Cleanup(stopper.Close)

			var saw elsewhereReport
			signettest.RunInBrowser(t, "elsewhere.mjs", map[string]any{
				"upstream": up.kind, "elsewhere": up.issuer, "name": up.name, "password": up.password, "stop": stopper.URL, "clock": clock,
				"issuer": i.Issuer, "email": i.Email, "own": i.Password, "callback": application.URL + "/callback",
				"client_id": client.ID, "client_secret": client.Secret,
			}, &saw)
			saw.assert(t, i, up)
		})
	}
}

// settings returns a configuration file with the upstream as a connector.
func (up elsewhere) settings(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signet.yaml")
	text := fmt.Sprintf("connectors:\n  - {id: elsewhere, type: oidc, name: Elsewhere, issuer: %q, client_id: %q, client_secret: %q}\n",
		up.issuer, up.clientID, up.clientSecret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

type elsewhereReport struct {
	Visits               map[string]upstreamVisit
	Denied, Button, Down string
	Complaints           []string
}

func (r elsewhereReport) assert(t *testing.T, i *signettest.Instance, up elsewhere) {
	t.Helper()
	for name, want := range map[string]struct {
		email, verified any // absent, unless the settings say that the upstream verifies addresses
		asked           int
	}{"first": {nil, nil, 1}, "second": {nil, nil, 0}, "fresh": {nil, nil, 0}, "password": {i.Email, true, 1}} {
		got := r.Visits[name]
		if got.UserInfo["email"] != want.email || got.UserInfo["email_verified"] != want.verified || got.Asked != want.asked {
			t.Errorf("%s visit: %v, asked for consent %d times; want %+v", name, got.UserInfo, got.Asked, want)
		}
	}
	first, second, fresh := r.Visits["first"].Claims, r.Visits["second"].Claims, r.Visits["fresh"].Claims
	if first["sub"] != second["sub"] || first["sub"] != fresh["sub"] || first["sub"] == r.Visits["password"].Claims["sub"] {
		t.Errorf("subjects: %v, %v, %v and, with a password, %v", first["sub"], second["sub"], fresh["sub"], r.Visits["password"].Claims["sub"])
	}
	// The upstream's clock counts whole seconds and the test cannot move it. Some upstreams
	// send auth_time only if the request asks for it.
	before, _ := second["auth_time"].(float64)
	if after, _ := fresh["auth_time"].(float64); after == 0 || after < before {
		t.Errorf("auth_time: %.0f, and %.0f after it was proven again", before, after)
	}
	for _, want := range []struct{ what, text, part string }{
		{"the page of a denial", r.Denied, "upstream_denied"},
		{"the button of the second visit", r.Button, "Last used"},
		{"the page of an upstream that is down", r.Down, "upstream_unreachable"},
		{"the page of an upstream that is down", r.Down, "Elsewhere isn’t responding"},
	} {
		if !strings.Contains(want.text, want.part) {
			t.Errorf("%s: got %q, want %q in it", want.what, want.text, want.part)
		}
	}
	for _, c := range r.Complaints {
		// Signet answers 502 if an upstream is down, which the browser reports.
		if !signettest.NotedAnswer.MatchString(c) && !strings.Contains(c, "status of 502") {
			t.Error(c)
		}
	}
}

// startOIDCProvider starts oidc-provider in its own process.
func startOIDCProvider(t *testing.T, callback string) elsewhere {
	t.Helper()
	up := elsewhere{
		kind: "oidc-provider", issuer: fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t)), clientID: "signet", clientSecret: "a secret of the test's",
		name: "carol", email: "carol@elsewhere.example",
	}
	job, err := json.Marshal(map[string]string{
		"issuer": up.issuer, "client_id": up.clientID, "client_secret": up.clientSecret, "redirect_uri": callback,
	})
	if err != nil {
		t.Fatal(err)
	}
	var talk signettest.SyncBuffer
	node := exec.Command("node", "oidcprovider.mjs")
	node.Dir, node.Stdin, node.Stderr = "../testdata/browser", strings.NewReader(string(job)), &talk
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	up.stop = sync.OnceFunc(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	})
	t.Cleanup(func() {
		up.stop()
		if t.Failed() {
			t.Logf("oidc-provider said:\n%s", talk.String())
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("oidc-provider does not start: %q, %v\n%s", line, err, talk.String())
	}
	return up
}

// startAnotherSignet starts a second Signet with its own data directory, user and client.
func startAnotherSignet(t *testing.T, callback string) elsewhere {
	t.Helper()
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_COOKIE_NAME=elsewhere") // two providers on one host share the cookies
	client := i.CreateClient(t, "--redirect-uri", callback)
	up := elsewhere{
		kind: "signet", issuer: i.Issuer, clientID: client.ID, clientSecret: client.Secret,
		name: "carol@elsewhere.example", email: "carol@elsewhere.example", password: "another correct horse battery",
	}
	i.Command(t, up.password, nil, "user", "create", "--email", up.email, "--email-verified", "--password-stdin", "--json")
	up.stop = sync.OnceFunc(signettest.StartSignetAt(t, time.Now, i.Issuer, i.Env, "serve"))
	return up
}
