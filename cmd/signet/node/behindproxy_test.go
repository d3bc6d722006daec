package node_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestOperation_BehindAProxy signs in with the settings of docs/operation.md, through a
// proxy that ends TLS and sets the headers as the blocks of that page do.
func TestOperation_BehindAProxy(t *testing.T) {
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	file := filepath.Join(t.TempDir(), "signet.yaml")
	settings := strings.ReplaceAll(signettest.Block(t, "docs/operation.md", "## Run behind a proxy", "yaml"), "127.0.0.1:8080", listen)
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
		r.Out.Header.Set("X-Forwarded-For", "203.0.113.66") // the visitor's address, as the proxy knows it
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
