package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestCaddy_SignIn signs in through Caddy with the blocks of docs/operation.md. The
// certificate is the only addition: Caddy would request one for a public name.
func TestCaddy_SignIn(t *testing.T) {
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	settings := strings.ReplaceAll(signettest.Block(t, "docs/operation.md", "## Run behind a proxy", "yaml"), "127.0.0.1:8080", listen)
	file := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &signettest.Instance{Issuer: issuer, Email: "ada@example.com", Password: password}
	i.Env = []string{"SIGNET_CONFIG=" + file, "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	i.Command(t, "", nil, "migrate")
	i.Command(t, i.Password, nil, "user", "create", "--email", i.Email, "--email-verified", "--password-stdin", "--json")
	log, _ := signettest.StartTalking(t, http.DefaultClient, "http://"+listen, i.Env, "serve")

	b := signettest.NewFormBrowser(t)
	b.Client.Transport = startCaddy(t, listen)
	b.Open(i.Issuer + "/login?return_to=/account")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.At.String() != i.Issuer+"/account" {
		t.Errorf("after the sign-in the browser is at %s", b.At)
	}
	// Caddy replaces the header that a visitor sends: the log has the address of the test.
	forged, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.Issuer+"/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	forged.Header.Set("X-Forwarded-For", "203.0.113.66")
	b.Do(forged)
	signettest.Eventually(t, 10*time.Second, "the request is in the log", func() bool { return strings.Count(log.String(), `"path":"/account"`) == 2 })
	if strings.Contains(log.String(), "203.0.113.66") {
		t.Errorf("the log has the forged address: %s", log.String())
	}
}

// startCaddy runs a Caddy with the block of docs/operation.md. The returned transport
// connects to this Caddy as id.example.com.
func startCaddy(t *testing.T, signet string) *http.Transport {
	t.Helper()
	program, err := exec.LookPath("caddy")
	if err != nil {
		t.Fatal("there is no caddy: apt-get install caddy")
	}
	folder, port := t.TempDir(), signettest.FreePort(t)
	roots := certificate(t, folder)
	block := strings.NewReplacer(
		"id.example.com {", fmt.Sprintf("https://id.example.com:%d {\n\tbind 127.0.0.1\n\ttls %s/tls.crt %s/tls.key", port, folder, folder),
		"127.0.0.1:8080", signet,
	).Replace(signettest.Block(t, "docs/operation.md", "## Run behind a proxy", "caddyfile"))
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte("{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n"+block), 0o600); err != nil {
		t.Fatal(err)
	}
	caddy := exec.Command(program, "run", "--config", file, "--adapter", "caddyfile")
	var log signettest.SyncBuffer
	caddy.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	caddy.Stdout, caddy.Stderr = &log, &log
	caddy.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := caddy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = caddy.Process.Signal(syscall.SIGTERM)
		_ = caddy.Wait()
		if t.Failed() {
			t.Logf("caddy printed:\n%s\nwith\n%s", log.String(), block)
		}
	})
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	signettest.Eventually(t, 15*time.Second, "caddy answers", func() bool {
		answer, err := (&http.Client{Transport: transport}).Get(issuer + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return transport
}
