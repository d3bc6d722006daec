package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
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

// startNginx runs an nginx with the block of docs/operation.md. It changes only addresses and
// paths in the block. The returned transport connects to this nginx as id.example.com.
func startNginx(t *testing.T, signet string) *http.Transport {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("there is no nginx: apt-get install nginx")
	}
	root, at := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	roots := certificate(t, root)
	block := strings.NewReplacer(
		"listen 443 ssl", "listen "+at+" ssl", "127.0.0.1:8080", signet,
		"/etc/nginx/tls.crt", filepath.Join(root, "tls.crt"), "/etc/nginx/tls.key", filepath.Join(root, "tls.key"),
	).Replace(signettest.Block(t, "docs/operation.md", "## Run behind a proxy", "nginx"))
	if strings.Contains(block, "buffer") {
		t.Fatalf("the block of docs/operation.md sets limits of its own: %s", block)
	}
	runNginx(t, program, root, block)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to == "id.example.com:443" {
				to = at
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	signettest.Eventually(t, 15*time.Second, "nginx answers", func() bool {
		answer, err := (&http.Client{Transport: transport}).Get(issuer + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return transport
}

// runNginx starts the program with a server block, in the folder root, until the test ends.
func runNginx(t *testing.T, program, root, block string) {
	t.Helper()
	var folders strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&folders, "%s_temp_path %s;\n", kind, filepath.Join(root, kind))
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root root;"
	}
	config := fmt.Sprintf("daemon off;\n%s\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", user, filepath.Join(root, "pid"), folders.String(), block)
	file := filepath.Join(root, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := exec.Command(program, "-e", "stderr", "-p", root, "-c", file)
	var talk signettest.SyncBuffer
	nginx.Stdout, nginx.Stderr = &talk, &talk
	nginx.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(syscall.SIGTERM)
		_ = nginx.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s\nwith\n%s", talk.String(), config)
		}
	})
}

// certificate writes tls.crt and tls.key for id.example.com into the folder.
func certificate(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"id.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{"tls.crt": public, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots
}

// watched fails the test for every error answer of nginx or Signet.
type watched struct {
	t    *testing.T
	next http.RoundTripper
}

// RoundTrip sends the request on.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err == nil && answer.StatusCode >= 400 {
		sent := 0
		for name, values := range r.Header {
			sent += len(name) + len(strings.Join(values, "; "))
		}
		w.t.Errorf("%s %.100s: %s; %d bytes of address, %d of headers", r.Method, r.URL, answer.Status, len(r.URL.String()), sent)
	}
	return answer, err
}
