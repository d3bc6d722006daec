package node_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/federation/federationtest"
)

// followed is a running server with a settings file that the test rewrites.
type followed struct {
	*signettest.Instance
	file   string
	talk   *signettest.SyncBuffer
	client signettest.CreatedClient
	google *federationtest.Google
}

func startFollowed(t *testing.T) *followed {
	t.Helper()
	f := &followed{Instance: signettest.NewInstance(t), file: filepath.Join(t.TempDir(), "signet.yaml")}
	var err error
	if f.google, err = federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{f.Issuer + "/login/google/callback", f.Issuer + "/login/second/callback"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.google.Close)
	f.client = f.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent")
	f.write(t, "connectors:\n"+f.upstream("google"))
	f.talk, _ = signettest.StartTalking(t, http.DefaultClient, f.Issuer, f.Env, "serve", "--config", f.file)
	return f
}

// upstream returns a connector with the id to the pretend Google.
func (f *followed) upstream(id string) string {
	return fmt.Sprintf("  - {id: %s, type: google, issuer: %q, client_id: %q, client_secret: %q}\n", id, f.google.URL, f.google.ClientID, f.google.ClientSecret)
}

func (f *followed) write(t *testing.T, settings string) {
	t.Helper()
	if err := os.WriteFile(f.file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rewrite writes the file and waits until the server logs the message.
func (f *followed) rewrite(t *testing.T, settings, says string) {
	t.Helper()
	before := strings.Count(f.talk.String(), says)
	f.write(t, settings)
	signettest.Eventually(t, 20*time.Second, "it says "+says, func() bool { return strings.Count(f.talk.String(), says) > before })
}

const readAgain = "the settings were reloaded"

// arrive opens the sign-in page.
func (f *followed) arrive(t *testing.T) *signettest.FormBrowser {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(f.Issuer + "/authorize?" + url.Values{
		"client_id": {f.client.ID}, "redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	return b
}

// depart goes to the upstream and chooses an account there. It returns the callback.
func (f *followed) depart(t *testing.T, b *signettest.FormBrowser, id string) (callback string) {
	t.Helper()
	b.Click("connector-" + id)
	if b.Left == nil {
		t.Fatalf("the button leads to %s", b.At)
	}
	back, err := federationtest.ChooseAccount(http.DefaultClient, b.Left.String(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	b.Left = nil
	return f.Issuer + "/login/" + id + "/callback?" + back.Encode()
}

// TestReload_AppliesLiveSettings checks that connectors, log level and trusted proxies change
// with the file, that people on the way to an upstream arrive, that no request is lost, and
// that the log names the settings that need a restart.
func TestReload_AppliesLiveSettings(t *testing.T) {
	t.Parallel()
	f := startFollowed(t)
	onTheWay, late := f.arrive(t), f.arrive(t)
	callback, tooLate := f.depart(t, onTheWay, "google"), f.depart(t, late, "google")

	var down atomic.Bool
	var crowd sync.WaitGroup
	for range 3 {
		crowd.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if down.Load() {
					return
				}
				response, err := http.Get(f.Issuer + "/login")
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("GET /login: %s", response.Status)
				}
			}
		})
	}
	both := "connectors:\n" + f.upstream("google") + f.upstream("second")
	f.rewrite(t, both, `"changed":"connectors"`)
	onTheWay.Open(callback)
	if onTheWay.Left == nil || onTheWay.Left.Query().Get("code") == "" {
		t.Errorf("who was on the way came to %s, and left for %v", onTheWay.At, onTheWay.Left)
	}
	fresh := f.arrive(t)
	if again := f.depart(t, fresh, "second"); again == "" || signettest.FindByID(f.arrive(t).Page, "connector-google") == nil {
		t.Error("the pages do not show both connectors")
	}

	// Without the first connector: a person who returns from it is sent on, and nobody else can
	// start there.
	f.rewrite(t, "connectors:\n"+f.upstream("second")+"trusted_proxies: 127.0.0.0/8\nlifetimes: {session: 8h}\ncookie_name: other\n",
		`"restart_for":"cookie_name, lifetimes.session"`)
	late.Open(tooLate)
	if late.Left != nil || signettest.FindByID(late.Page, "start-again") == nil && !strings.Contains(late.At.Path, "/login") {
		t.Errorf("who came back from a connector that is gone came to %s, %v", late.At, late.Left)
	}
	signettest.Eventually(t, 20*time.Second, "the sessions of the connector end", func() bool {
		return strings.Contains(f.talk.String(), `"connector":"google","sessions":1`)
	})
	if onTheWay.Open(f.Issuer + "/account"); !strings.Contains(onTheWay.At.Path, "/login") {
		t.Errorf("who came through a connector that is gone is signed in still, at %s", onTheWay.At)
	}
	if signettest.FindByID(f.arrive(t).Page, "connector-google") != nil {
		t.Error("a connector that is gone still has its button")
	}
	if !strings.Contains(f.talk.String(), `"changed":"trusted_proxies, connectors"`) {
		t.Error("the log does not tell what changed")
	}
	proxied, err := http.NewRequest(http.MethodGet, f.Issuer+"/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	proxied.Header.Set("X-Forwarded-For", "203.0.113.66")
	response, err := http.DefaultClient.Do(proxied)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if !strings.Contains(f.talk.String(), `"address":"203.0.113.66"`) {
		t.Error("the proxy is not trusted")
	}
	if response.Header.Get("Set-Cookie") != "" || !strings.Contains(f.talk.String(), "need a restart") {
		t.Error("a setting that needs a restart was taken over, or is not named")
	}
	down.Store(true)
	crowd.Wait()

	f.rewrite(t, "log: {level: warn}\nconnectors:\n"+f.upstream("second"), readAgain)
	quiet := len(f.talk.String())
	f.arrive(t)
	if said := f.talk.String()[quiet:]; strings.Contains(said, `"msg":"request"`) {
		t.Errorf("at the level warn it says %s", said)
	}
}

// TestReload_AMistakeChangesNothing checks that the valid settings beside it do not change
// either.
func TestReload_AMistakeChangesNothing(t *testing.T) {
	t.Parallel()
	f := startFollowed(t)
	for settings, mistakes := range map[string][]string{
		"connectors:\n" + f.upstream("second") + "lisen: a\nlog: {level: loud}\n": {`:3","key":"lisen","error":"is not a setting; did you mean listen?`, `:4","key":"log.level","error":"is \"loud\"`, `"mistakes":2`},
		"connectors:\n" + f.upstream("second") + "  - {id: a, type: oidc}\n":      {`:3","key":"","error":"connector \"a\"`, `"mistakes":1`},
		"connectors: [":                  {"is not YAML", `"mistakes":1`},
		"tls: {cert: /a.pem}\n":          {`:1","key":"tls.cert","error":"is set, but tls.key is not`},
		"database: mysql://u:canary@h\n": {`:1","key":"database"`},
	} {
		f.rewrite(t, settings, "the server keeps the previous ones")
		for _, want := range mistakes {
			if !strings.Contains(f.talk.String(), want) {
				t.Errorf("%s: the log lacks %s", settings, want)
			}
		}
		if page := f.arrive(t).Page; signettest.FindByID(page, "connector-google") == nil || signettest.FindByID(page, "connector-second") != nil {
			t.Errorf("%s: the pages show other connectors", settings)
		}
	}
	if strings.Contains(f.talk.String(), "canary") {
		t.Error("the log repeats a secret")
	}
	f.rewrite(t, "connectors:\n"+f.upstream("second"), readAgain)
	if signettest.FindByID(f.arrive(t).Page, "connector-second") == nil {
		t.Error("once it is right again, it is not taken over")
	}
}

// TestReload_OnSIGHUP checks that a process keeps running and reads its settings again,
// including the files of secrets.
func TestReload_OnSIGHUP(t *testing.T) {
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	for n := range 2 {
		if err := p.Command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		signettest.Eventually(t, 20*time.Second, "the settings are read again", func() bool {
			return strings.Count(p.Talk.String(), readAgain+`","changed":""`) == n+1
		})
	}
	if status, body := signettest.Get(t, c.Issuer+"/readyz"); status != http.StatusOK {
		t.Errorf("afterwards it answers %d %s", status, body)
	}
}
