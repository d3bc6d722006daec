package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestUnixSocket_SignInThroughNginx signs in through nginx with the blocks of docs/operation.md
// for a unix socket. It changes only addresses and paths.
func TestUnixSocket_SignInThroughNginx(t *testing.T) {
	const section, documented = "## Listen on a unix socket", "/run/signet/signet.sock"
	socket := filepath.Join(t.TempDir(), "signet.sock")
	file := filepath.Join(t.TempDir(), "signet.yaml")
	settings := strings.ReplaceAll(signettest.Block(t, "docs/operation.md", section, "yaml"), documented, socket)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &signettest.Instance{Issuer: issuer, Email: "ada@example.com", Password: password}
	i.Env = []string{"SIGNET_CONFIG=" + file, "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	i.Command(t, "", nil, "migrate")
	i.Command(t, i.Password, nil, "user", "create", "--email", i.Email, "--email-verified", "--password-stdin", "--json")
	direct := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	log, _ := signettest.StartTalking(t, direct, "http://localhost", i.Env, "serve")
	i.Command(t, "", nil, "health", "--json")

	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	e := &entrance{folder: t.TempDir(), https: fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))}
	e.roots = certificate(t, e.folder)
	block := strings.NewReplacer(
		"listen 443 ssl", "listen "+e.https+" ssl", documented, socket, "/etc/nginx/", e.folder+"/",
	).Replace(signettest.Block(t, "docs/operation.md", section, "nginx"))
	runNginx(t, program, e.folder, block)
	transport := e.transport(t, visitor{http1: true, from: "127.0.0.7"})
	signettest.Eventually(t, 15*time.Second, "nginx answers", func() bool {
		answer, err := (&http.Client{Transport: transport}).Get(issuer + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})

	b := signettest.NewFormBrowser(t)
	b.Client.Transport = watched{t, transport}
	b.Open(i.Issuer + "/login?return_to=/account")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.At.String() != i.Issuer+"/account" {
		t.Errorf("after the sign-in the browser is at %s", b.At)
	}
	forged, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.Issuer+"/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	forged.Header.Set("X-Forwarded-For", "203.0.113.66")
	b.Do(forged)
	signettest.Eventually(t, 10*time.Second, "the request is in the log", func() bool { return strings.Count(log.String(), `"path":"/account"`) >= 2 })
	if said := log.String(); strings.Contains(said, "203.0.113.66") || !strings.Contains(said, `"address":"127.0.0.7"`) {
		t.Errorf("the log has other addresses than that of the visitor: %s", said)
	}
}
