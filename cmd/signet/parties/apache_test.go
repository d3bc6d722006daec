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

func TestRelyingParty_ApacheWithPKCE(t *testing.T) { testApache(t, "OIDCPKCEMethod S256") }

// testApache tests Apache's mod_auth_openidc, a relying party in C that reads its
// configuration from discovery and protects a page. A person signs in for the page, the
// module refreshes the tokens, and the person signs out. By default the module sends a
// nonce and no PKCE.
func testApache(t *testing.T, settings ...string) {
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

	before := fetchSessionInfo(b, origin, "")
	if before.UserInfo["email"] != i.Email || before.UserInfo["sub"] != before.IDToken["sub"] || before.IDToken["iss"] != i.Issuer {
		t.Errorf("the module has userinfo %v and ID token %v", before.UserInfo, before.IDToken)
	}
	if before.RefreshToken == "" || before.AccessToken == "" {
		t.Fatalf("the module has no tokens: %+v", before)
	}
	var after sessionInfo
	signettest.Eventually(t, 10*time.Second, "the module refreshes the tokens", func() bool {
		after = fetchSessionInfo(b, origin, "&access_token_refresh_interval=0")
		return after.AccessToken != before.AccessToken
	})
	if after.RefreshToken == before.RefreshToken || after.IDToken["sub"] != before.IDToken["sub"] {
		t.Errorf("the session after a refresh: got %+v, before it was %+v", after, before)
	}

	b.Visit(origin + "/secure/callback?" + url.Values{"logout": {origin + "/bye.html"}}.Encode())
	if got := b.Text(); !strings.Contains(got, "Until next time.") {
		t.Fatalf("after the sign-out the browser is at %s and reads %q", b.At, got)
	}
	b.Visit(origin + "/secure/page.html")
	if signettest.FindByID(b.Page, "login") == nil {
		t.Errorf("after the sign-out the browser is at %s and reads %q, want the sign-in form", b.At, b.Text())
	}
	checkES256(t, "mod_auth_openidc", i, client, func(b *signettest.FormBrowser) { b.Visit(origin + "/secure/page.html") },
		func(b *signettest.FormBrowser) bool { return strings.Contains(b.Text(), "The protected page.") })
}

// TestRelyingParty_ApacheReceivesLogoutToken ends one session of a user with a command
// while the server runs. Apache's module receives the logout token and ends its own
// session. The other session of the user goes on.
func TestRelyingParty_ApacheReceivesLogoutToken(t *testing.T) {
	i := signettest.NewInstance(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent",
		"--backchannel-logout-uri", origin+"/secure/callback?logout=backchannel", "--backchannel-logout-session-required")
	i.Serve(t)
	startApache(t, origin, i.Issuer, client)
	ended, other := signInAtPage(t, i, origin), signInAtPage(t, i, origin)
	i.Command(t, "", nil, "session", "end", fetchSessionInfo(ended, origin, "").IDToken["sid"].(string), "--user", i.Email, "--json")
	signettest.Eventually(t, 10*time.Second, "the module ends its session", func() bool {
		ended.Visit(origin + "/secure/page.html")
		return signettest.FindByID(ended.Page, "login") != nil
	})
	other.Visit(origin + "/secure/page.html")
	if got := other.Text(); !strings.Contains(got, "The protected page.") {
		t.Errorf("the other session ended too: the browser is at %s and reads %q", other.At, got)
	}
}

// signInAtPage signs in for the protected page and returns the browser.
func signInAtPage(t *testing.T, i *signettest.Instance, origin string) *signettest.FormBrowser {
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

// sessionInfo is the session as the module reports it.
type sessionInfo struct {
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      map[string]any `json:"id_token"`
	UserInfo     map[string]any `json:"userinfo"`
}

// fetchSessionInfo reads the session from the module. The string more adds query parameters.
func fetchSessionInfo(b *signettest.FormBrowser, origin, more string) (session sessionInfo) {
	b.T.Helper()
	response, err := b.Client.Get(origin + "/secure/callback?info=json" + more)
	if err != nil {
		b.T.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &session)
	}
	if err != nil {
		b.T.Fatalf("the module answers %s, %q: %v", response.Status, body, err)
	}
	return session
}

const apacheModules = "/usr/lib/apache2/modules"

// startApache starts a separate Apache for the test, without the configuration of the
// machine. The settings are added to those that the module needs.
func startApache(t *testing.T, origin, issuer string, client signettest.CreatedClient, settings ...string) {
	t.Helper()
	program, err := exec.LookPath("apache2")
	if err != nil {
		program = "/usr/sbin/apache2"
	}
	for _, path := range []string{program, apacheModules + "/mod_auth_openidc.so"} {
		if _, err := os.Stat(path); err != nil {
			t.Fatal("Apache with mod_auth_openidc is not installed: apt-get install libapache2-mod-auth-openidc")
		}
	}
	root, err := os.MkdirTemp("", "signet-apache-") // not t.TempDir: the user of Apache must be able to read it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	pages := filepath.Join(root, "pages")
	for path, content := range map[string]string{
		"pages/secure/page.html":        "<!doctype html><title>Secure</title><p>The protected page.",
		"pages/secure/other.html":       "<!doctype html><title>Other</title><p>The other page.",
		"pages/secure/strong/page.html": "<!doctype html><title>Strong</title><p>The strong page.",
		"pages/bye.html":                "<!doctype html><title>Bye</title><p>Until next time.",
		"apache.conf":                   apacheConfig(root, pages, origin, issuer, client) + strings.Join(settings, "\n") + "\n",
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
	var output signettest.SyncBuffer
	apache.Stdout, apache.Stderr = &output, &output
	apache.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := apache.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = apache.Process.Signal(syscall.SIGTERM)
		_ = apache.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(root, "error.log"))
			t.Logf("output of Apache:\n%s%s", output.String(), log)
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
