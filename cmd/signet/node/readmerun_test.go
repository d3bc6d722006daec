package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// readmePart is what README.md has between the two comments of that name.
func readmePart(t *testing.T, name string) string {
	t.Helper()
	_, rest, begins := strings.Cut(signettest.Readme(t), "<!-- "+name+":")
	part, _, ends := strings.Cut(rest, "<!-- /"+name+" -->")
	if !begins || !ends {
		t.Fatalf("README.md has no part %q", name)
	}
	return part
}

// fenced is the first block of a kind.
func fenced(t *testing.T, part, kind string) string {
	t.Helper()
	_, rest, begins := strings.Cut(part, "```"+kind+"\n")
	block, _, ends := strings.Cut(rest, "```\n")
	if !begins || !ends {
		t.Fatalf("no block of %s in %s", kind, part)
	}
	return block
}

// TestReadme_WithItsOwnCertificate does in a clean folder what README.md says, word for
// word but for the port. What stands below a command is what it must print.
func TestReadme_WithItsOwnCertificate(t *testing.T) {
	part := strings.ReplaceAll(readmePart(t, "own certificate"), "8443", fmt.Sprint(signettest.FreePort(t)))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "signet.yaml"), []byte(fenced(t, part, "yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	clean := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIGNET_") }) // of the tests, no settings
	commands := strings.Split("\n"+fenced(t, part, "console"), "\n$ ")[1:]
	for _, shown := range commands {
		command, want, _ := strings.Cut(shown, "\n")
		shell := exec.Command("bash", "-c", strings.TrimSuffix(command, " &"))
		var stdout, stderr bytes.Buffer
		shell.Dir, shell.Env, shell.Stdout, shell.Stderr = dir, clean, &stdout, &stderr
		if strings.HasSuffix(command, " &") {
			shell.Args[2] = "exec " + shell.Args[2]
			serveInBackground(t, shell)
			continue
		}
		if err := shell.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, stderr.String())
		}
		if want = strings.TrimSpace(want); want != "" && strings.TrimSpace(stdout.String()) != want {
			t.Errorf("%s printed %q, want %q", command, stdout.String(), want)
		}
	}
	if len(commands) < 7 {
		t.Errorf("README.md shows only %d commands", len(commands))
	}
	for _, secret := range []string{"signet-data/master.key", "signet-data/signet.db", "tls.key"} {
		if state, err := os.Stat(filepath.Join(dir, secret)); err != nil || state.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", secret, state, err)
		}
	}
}

// serveInBackground starts a server and waits until it says that it listens.
func serveInBackground(t *testing.T, shell *exec.Cmd) {
	t.Helper()
	talk := &signettest.SyncBuffer{}
	shell.Stderr = talk
	shell.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shell.Process.Signal(syscall.SIGTERM)
		if err := shell.Wait(); err != nil {
			t.Errorf("it did not end in order: %v\n%s", err, talk.String())
		}
	})
	signettest.Eventually(t, 30*time.Second, "the server listens", func() bool { return strings.Contains(talk.String(), `"msg":"listening"`) })
}

// TestReadme_BehindAProxy signs in through a proxy that ends TLS and does with the
// headers what the one in README.md does.
func TestReadme_BehindAProxy(t *testing.T) {
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	file := filepath.Join(t.TempDir(), "signet.yaml")
	settings := strings.ReplaceAll(fenced(t, readmePart(t, "behind a proxy"), "yaml"), "127.0.0.1:8080", listen)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &signettest.Instance{Issuer: "https://id.example.com", Email: "ada@example.com", Password: "correct horse battery staple"}
	i.Env = []string{"SIGNET_CONFIG=" + file, "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	i.Command(t, "", nil, "migrate")
	i.Command(t, i.Password, nil, "user", "create", "--email", i.Email, "--email-verified", "--password-stdin", "--json")

	ca := newCA(t)
	pair := ca.pair(t, x509.Certificate{}, "id.example.com")
	certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	door, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: listen})
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.66") // the visitor, as the proxy sees it
	}}}
	go proxy.Serve(door)
	t.Cleanup(func() { proxy.Close() })
	talk, _ := signettest.StartTalking(t, http.DefaultClient, "http://"+listen, i.Env, "serve")

	b := signettest.NewFormBrowser(t)
	transport := ca.client(nil).Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", door.Addr().String())
	}
	b.Client.Transport = transport
	b.Open(i.Issuer + "/login?return_to=/account")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	if b.At.Path != "/account" || b.At.Host != "id.example.com" {
		t.Errorf("after the sign-in the browser is at %s", b.At)
	}
	jar := b.Client.Jar.Cookies(b.At)
	if !slices.ContainsFunc(jar, func(c *http.Cookie) bool { return c.Name == "__Host-signet" }) {
		t.Errorf("cookies: %v", jar)
	}
	if said := talk.String(); !strings.Contains(said, `"path":"/login","status":200`) || !strings.Contains(said, `"address":"203.0.113.66"`) {
		t.Errorf("the log has another address: %s", said)
	}
}
