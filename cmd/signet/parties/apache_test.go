package parties_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

func TestRelyingParty_ApacheWithPKCE(t *testing.T) { usesApache(t, "OIDCPKCEMethod S256") }

// usesApache lets Apache's mod_auth_openidc protect a page: a relying party in C that
// knows of us only what discovery says. A person signs in for the page, the module
// refreshes the tokens, and signs out. By default the module sends a nonce and no PKCE.
func usesApache(t *testing.T, settings ...string) {
	i := signettest.NewInstance(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--post-logout-redirect-uri", origin+"/bye.html")
	i.Serve(t)
	startApache(t, origin, i.Issuer, client, settings...)

	b := signettest.NewFormBrowser(t)
	b.Visit(origin + "/secure/page.html")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Send("consent", "allow", nil)
	b.Visit(b.Left.String())
	if got := b.Text(); !strings.Contains(got, "The protected page.") || b.At.Path != "/secure/page.html" {
		t.Fatalf("after the sign-in the browser is at %s and reads %q", b.At, got)
	}

	before := info(b, origin, "")
	if before.UserInfo["email"] != i.Email || before.UserInfo["sub"] != before.IDToken["sub"] || before.IDToken["iss"] != i.Issuer {
		t.Errorf("the module knows %v by %v", before.UserInfo, before.IDToken)
	}
	if before.RefreshToken == "" || before.AccessToken == "" {
		t.Fatalf("the module has no tokens: %+v", before)
	}
	var after sessionInfo
	signettest.Eventually(t, 10*time.Second, "the module refreshes the tokens", func() bool {
		after = info(b, origin, "&access_token_refresh_interval=0")
		return after.AccessToken != before.AccessToken
	})
	if after.RefreshToken == before.RefreshToken || after.IDToken["sub"] != before.IDToken["sub"] {
		t.Errorf("a refresh gave %+v after %+v", after, before)
	}

	b.Visit(origin + "/secure/callback?" + url.Values{"logout": {origin + "/bye.html"}}.Encode())
	if got := b.Text(); !strings.Contains(got, "Until next time.") {
		t.Fatalf("after the sign-out the browser is at %s and reads %q", b.At, got)
	}
	b.Visit(origin + "/secure/page.html")
	if signettest.FindByID(b.Page, "login") == nil {
		t.Errorf("signed out, and the page is at %s: %q", b.At, b.Text())
	}
}

// TestRelyingParty_ApacheHearsOfTheSignOut ends a person's session by the command
// line, beside the server: Apache's module takes our logout token, and shows the
// page to this person no more.
func TestRelyingParty_ApacheHearsOfTheSignOut(t *testing.T) {
	i := signettest.NewInstance(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent",
		"--backchannel-logout-uri", origin+"/secure/callback?logout=backchannel", "--backchannel-logout-session-required")
	i.Serve(t)
	startApache(t, origin, i.Issuer, client)
	out, kept := readsPage(t, i, origin), readsPage(t, i, origin)
	i.Command(t, "", nil, "session", "end", info(out, origin, "").IDToken["sid"].(string), "--user", i.Email, "--json")
	signettest.Eventually(t, 10*time.Second, "the module has heard of the sign-out", func() bool {
		out.Visit(origin + "/secure/page.html")
		return signettest.FindByID(out.Page, "login") != nil
	})
	kept.Visit(origin + "/secure/page.html")
	if got := kept.Text(); !strings.Contains(got, "The protected page.") {
		t.Errorf("the other session is out too: the browser is at %s and reads %q", kept.At, got)
	}
}

// readsPage is the browser of a person who has signed in for the protected page.
func readsPage(t *testing.T, i *signettest.Instance, origin string) *signettest.FormBrowser {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Visit(origin + "/secure/page.html")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Visit(b.Left.String())
	if got := b.Text(); !strings.Contains(got, "The protected page.") {
		t.Fatalf("after the sign-in the browser is at %s and reads %q", b.At, got)
	}
	return b
}

// sessionInfo is what the module tells of its session.
type sessionInfo struct {
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      map[string]any `json:"id_token"`
	UserInfo     map[string]any `json:"userinfo"`
}

func info(b *signettest.FormBrowser, origin, more string) (info sessionInfo) {
	b.T.Helper()
	response, err := b.Client.Get(origin + "/secure/callback?info=json" + more)
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &info)
	}
	if err != nil {
		b.T.Fatalf("the module says %s, %q: %v", response.Status, body, err)
	}
	return info
}

const apacheModules = "/usr/lib/apache2/modules"

// startApache runs an Apache of its own for the test, with nothing of the
// machine's configuration. The settings are added to those that the module needs.
func startApache(t *testing.T, origin, issuer string, client signettest.CreatedClient, settings ...string) {
	t.Helper()
	program, err := exec.LookPath("apache2")
	if err != nil {
		program = "/usr/sbin/apache2"
	}
	for _, path := range []string{program, apacheModules + "/mod_auth_openidc.so"} {
		if _, err := os.Stat(path); err != nil {
			t.Fatal("there is no Apache with mod_auth_openidc: apt-get install libapache2-mod-auth-openidc")
		}
	}
	root, err := os.MkdirTemp("", "signet-apache-") // not t.TempDir: Apache's own user must get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	pages := filepath.Join(root, "pages")
	for path, content := range map[string]string{
		"pages/secure/page.html": "<!doctype html><title>Secure</title><p>The protected page.",
		"pages/bye.html":         "<!doctype html><title>Bye</title><p>Until next time.",
		"apache.conf":            apacheConfig(root, pages, origin, issuer, client) + strings.Join(settings, "\n") + "\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	apache := exec.Command(program, "-f", filepath.Join(root, "apache.conf"), "-DFOREGROUND")
	var talk signettest.SyncBuffer
	apache.Stdout, apache.Stderr = &talk, &talk
	apache.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := apache.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = apache.Process.Signal(syscall.SIGTERM)
		_ = apache.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(root, "error.log"))
			t.Logf("Apache said:\n%s%s", talk.String(), log)
		}
	})
	signettest.Eventually(t, 15*time.Second, "Apache answers", func() bool {
		response, err := http.Get(origin + "/bye.html")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func apacheConfig(root, pages, origin, issuer string, client signettest.CreatedClient) string {
	var b strings.Builder
	for _, module := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "mime", "auth_openidc"} {
		fmt.Fprintf(&b, "LoadModule %s_module %s/mod_%s.so\n", module, apacheModules, module)
	}
	if os.Geteuid() == 0 {
		fmt.Fprintln(&b, "User www-data\nGroup www-data")
	}
	fmt.Fprintf(&b, `ServerName 127.0.0.1
Listen %s
ServerRoot %s
DefaultRuntimeDir %[2]s
PidFile %[2]s/pid
Mutex file:%[2]s default
ErrorLog %[2]s/error.log
LogLevel auth_openidc:info
DocumentRoot %s
StartServers 1
ServerLimit 1
TypesConfig /dev/null
AddType text/html .html
MaxRequestWorkers 25
MinSpareThreads 5
MaxSpareThreads 25
OIDCProviderMetadataURL %s/.well-known/openid-configuration
OIDCClientID %s
OIDCClientSecret %s
OIDCRedirectURI %s/secure/callback
OIDCCryptoPassphrase a-passphrase-for-this-test-alone
OIDCScope "openid email"
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
<Location /secure>
	AuthType openid-connect
	Require valid-user
</Location>
`, strings.TrimPrefix(origin, "http://"), root, pages, issuer, client.ID, client.Secret, origin)
	return b.String()
}
