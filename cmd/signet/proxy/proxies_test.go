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

// proxies are the programs that the tests put in front of Signet, each with its file in
// deploy/proxy.
var proxies = map[string]func(t *testing.T, e *entrance, nodes []string){
	"nginx":   startNginx,
	"caddy":   startCaddy,
	"traefik": startTraefik,
}

// eachProxy runs a test with every proxy, in parallel. Traefik is left out unless its program
// is named: no package of Debian has it.
func eachProxy(t *testing.T, f func(t *testing.T, proxy string)) {
	for name := range proxies {
		if name == "traefik" && os.Getenv("SIGNET_TRAEFIK") == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, name)
		})
	}
}

// entrance is a running proxy. It ends TLS for id.example.com.
type entrance struct {
	folder      string // of its files, with tls.crt and tls.key
	https, http string // addresses
	roots       *x509.CertPool
}

// startProxy runs a proxy in front of nodes, which are given as host:port, and waits until a
// node answers through it.
func startProxy(t *testing.T, name string, nodes ...string) *entrance {
	t.Helper()
	e := &entrance{
		folder: t.TempDir(), https: fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t)), http: fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t)),
	}
	e.roots = certificate(t, e.folder)
	proxies[name](t, e, nodes)
	client := &http.Client{Transport: e.transport(t, visitor{})}
	signettest.Eventually(t, 30*time.Second, name+" answers", func() bool {
		answer, err := client.Get(issuer + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return e
}

// visitor says how a test connects to a proxy. The zero value uses HTTP/2, from 127.0.0.1.
type visitor struct {
	http1 bool
	from  string
}

// transport connects to the proxy, whatever host a URL names.
func (e *entrance) transport(t *testing.T, v visitor) *http.Transport {
	t.Helper()
	dialer := &net.Dialer{}
	if v.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(v.from)}
	}
	transport := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: e.roots},
		ForceAttemptHTTP2:     !v.http1,
		DisableCompression:    true,
		ExpectContinueTimeout: 5 * time.Second,
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if strings.HasSuffix(to, ":80") {
				return dialer.DialContext(ctx, network, e.http)
			}
			return dialer.DialContext(ctx, network, e.https)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// withNodes returns a file of deploy/proxy for the nodes. The file has a line with one node,
// and a comment line for another.
func withNodes(t *testing.T, file string, nodes []string, changes ...string) string {
	t.Helper()
	text := signettest.Page(t, "deploy/proxy/"+file)
	var lines []string
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, "127.0.0.1:8080"):
			for _, node := range nodes {
				lines = append(lines, strings.ReplaceAll(line, "127.0.0.1:8080", node))
			}
			if !strings.Contains(text, strings.Replace(indent(line)+"# "+strings.TrimLeft(line, " \t"), "127.0.0.1", "10.0.0.12", 1)) {
				t.Fatalf("deploy/proxy/%s does not show how to add a node", file)
			}
		case strings.Contains(line, "10.0.0.12:8080"):
		default:
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines, "")
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("deploy/proxy/%s has no %q", file, changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	return text
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// writeFile writes a file into the folder of a proxy, and returns its path.
func writeFile(t *testing.T, folder, name, text string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// runProxy runs a proxy until the test ends. It shows its messages if the test fails.
func runProxy(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	process := exec.Command(program, args...)
	var talk signettest.SyncBuffer
	process.Dir = folder
	process.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	process.Stdout, process.Stderr = &talk, &talk
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, talk.String())
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

// TestOperation_ShowsTheFilesOfTheProxies compares the blocks of docs/operation.md with the
// files of deploy/proxy.
func TestOperation_ShowsTheFilesOfTheProxies(t *testing.T) {
	page := signettest.Page(t, "docs/operation.md")
	for name, language := range map[string]string{"nginx.conf": "nginx", "Caddyfile": "caddyfile", "traefik.yml": "yaml", "dynamic.yml": "yaml"} {
		if file := signettest.Page(t, "deploy/proxy/"+name); !strings.Contains(page, "```"+language+"\n"+file+"```\n") {
			t.Errorf("docs/operation.md does not show deploy/proxy/%s as it is", name)
		}
	}
}
