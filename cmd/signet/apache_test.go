package main

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

	"golang.org/x/net/html"
)

func TestRelyingParty_ApacheWithPKCE(t *testing.T) { usesApache(t, "OIDCPKCEMethod S256") }

// usesApache lets Apache's mod_auth_openidc protect a page: a relying party in C that
// knows of us only what discovery says. A person signs in for the page, the module
// refreshes the tokens, and signs out. By default the module sends a nonce and no PKCE.
func usesApache(t *testing.T, settings ...string) {
	i := newInstance(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	client := i.createClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--post-logout-redirect-uri", origin+"/bye.html")
	i.serve(t)
	startApache(t, origin, i.issuer, client, settings...)

	b := newFormBrowser(t)
	b.visit(origin + "/secure/page.html")
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	b.send("consent", "allow", nil)
	b.visit(b.left.String())
	if got := b.text(); !strings.Contains(got, "The protected page.") || b.at.Path != "/secure/page.html" {
		t.Fatalf("after the sign-in the browser is at %s and reads %q", b.at, got)
	}

	before := b.info(origin, "")
	if before.UserInfo["email"] != i.email || before.UserInfo["sub"] != before.IDToken["sub"] || before.IDToken["iss"] != i.issuer {
		t.Errorf("the module knows %v by %v", before.UserInfo, before.IDToken)
	}
	if before.RefreshToken == "" || before.AccessToken == "" {
		t.Fatalf("the module has no tokens: %+v", before)
	}
	var after sessionInfo
	eventually(t, 10*time.Second, "the module refreshes the tokens", func() bool {
		after = b.info(origin, "&access_token_refresh_interval=0")
		return after.AccessToken != before.AccessToken
	})
	if after.RefreshToken == before.RefreshToken || after.IDToken["sub"] != before.IDToken["sub"] {
		t.Errorf("a refresh gave %+v after %+v", after, before)
	}

	b.visit(origin + "/secure/callback?" + url.Values{"logout": {origin + "/bye.html"}}.Encode())
	if got := b.text(); !strings.Contains(got, "Until next time.") {
		t.Fatalf("after the sign-out the browser is at %s and reads %q", b.at, got)
	}
	b.visit(origin + "/secure/page.html")
	if findByID(b.page, "login") == nil {
		t.Errorf("signed out, and the page is at %s: %q", b.at, b.text())
	}
}

// TestRelyingParty_ApacheHearsOfTheSignOut ends a person's session by the command
// line, beside the server: Apache's module takes our logout token, and shows the
// page to this person no more.
func TestRelyingParty_ApacheHearsOfTheSignOut(t *testing.T) {
	i := newInstance(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	client := i.createClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent",
		"--backchannel-logout-uri", origin+"/secure/callback?logout=backchannel", "--backchannel-logout-session-required")
	i.serve(t)
	startApache(t, origin, i.issuer, client)
	out, kept := i.readsPage(t, origin), i.readsPage(t, origin)
	i.command(t, "", nil, "session", "end", out.info(origin, "").IDToken["sid"].(string), "--user", i.email, "--json")
	eventually(t, 10*time.Second, "the module has heard of the sign-out", func() bool {
		out.visit(origin + "/secure/page.html")
		return findByID(out.page, "login") != nil
	})
	kept.visit(origin + "/secure/page.html")
	if got := kept.text(); !strings.Contains(got, "The protected page.") {
		t.Errorf("the other session is out too: the browser is at %s and reads %q", kept.at, got)
	}
}

// readsPage is the browser of a person who has signed in for the protected page.
func (i *instance) readsPage(t *testing.T, origin string) *formBrowser {
	t.Helper()
	b := newFormBrowser(t)
	b.visit(origin + "/secure/page.html")
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	b.visit(b.left.String())
	if got := b.text(); !strings.Contains(got, "The protected page.") {
		t.Fatalf("after the sign-in the browser is at %s and reads %q", b.at, got)
	}
	return b
}

// visit opens a URL and follows it from one program to the other, as any browser
// would.
func (b *formBrowser) visit(target string) {
	b.t.Helper()
	for range 10 {
		b.left = nil
		b.open(target)
		if b.left == nil {
			return
		}
		target = b.left.String()
	}
	b.t.Fatalf("sent to and fro, at last to %s", target)
}

func (b *formBrowser) text() string {
	var text strings.Builder
	for node := range b.page.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data)
		}
	}
	return strings.TrimSpace(text.String())
}

// sessionInfo is what the module tells of its session.
type sessionInfo struct {
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      map[string]any `json:"id_token"`
	UserInfo     map[string]any `json:"userinfo"`
}

func (b *formBrowser) info(origin, more string) (info sessionInfo) {
	b.t.Helper()
	response, err := b.client.Get(origin + "/secure/callback?info=json" + more)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &info)
	}
	if err != nil {
		b.t.Fatalf("the module says %s, %q: %v", response.Status, body, err)
	}
	return info
}

const apacheModules = "/usr/lib/apache2/modules"

// startApache runs an Apache of its own for the test, with nothing of the
// machine's configuration. The settings are added to those that the module needs.
func startApache(t *testing.T, origin, issuer string, client createdClient, settings ...string) {
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
	var talk syncBuffer
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
	eventually(t, 15*time.Second, "Apache answers", func() bool {
		response, err := http.Get(origin + "/bye.html")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func apacheConfig(root, pages, origin, issuer string, client createdClient) string {
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
