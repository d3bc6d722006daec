package outbound_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/outbound"
)

// startHTTPS starts an https server on 127.0.0.1 and returns settings that trust its certificate.
func startHTTPS(t *testing.T, serve http.HandlerFunc) (*httptest.Server, outbound.Config) {
	t.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the tests make handshakes fail
	server.StartTLS()
	t.Cleanup(server.Close)
	roots, err := outbound.Roots(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	return server, outbound.Config{Roots: roots, Timeout: 2 * time.Second}
}

// loopbackAllowed lets Foreign reach the servers of the test.
func loopbackAllowed(c outbound.Config) outbound.Config {
	c.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	return c
}

// bothClients returns the two clients. Both can reach the servers of the test.
func bothClients(c outbound.Config) map[string]*http.Client {
	made := outbound.New(loopbackAllowed(c))
	return map[string]*http.Client{"Foreign": made.Foreign(), "Configured": made.Configured()}
}

func read(c *http.Client, address string) (string, error) {
	res, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestClient_PlainCall(t *testing.T) {
	server, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		if r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
			http.Error(w, "unexpected header", http.StatusTeapot)
			return
		}
		io.WriteString(w, r.UserAgent())
	})
	for name, client := range bothClients(c) {
		for range 2 { // the second call must not send the cookie of the first
			if got, err := read(client, server.URL); err != nil || got != "signet" {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	}
}

// TestOutbound_InternalAddressesAreRefused writes internal addresses in every form of a URL. No
// server listens there, so the error must be ErrNotPublic.
// DR-02: Calls to addresses from strangers never reach loopback or private networks; the
// connected address is checked.
func TestOutbound_InternalAddressesAreRefused(t *testing.T) {
	client := outbound.New(outbound.Config{Timeout: 2 * time.Second}).Foreign()
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1",
		"[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[ff02::1]",
		"[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fec0::1]", "[100::1]", "localhost",
	} {
		if _, err := read(client, "https://"+host+"/"); !errors.Is(err, outbound.ErrNotPublic) {
			t.Errorf("%s: got %v, want ErrNotPublic", host, err)
		}
	}
}

// TestOutbound_NumericHostsAreRefused: octal, decimal and short forms reach no server, whether the
// resolver reads them as 127.0.0.1 or not.
// DR-02: Calls to addresses from strangers never reach loopback or private networks; the
// connected address is checked.
func TestOutbound_NumericHostsAreRefused(t *testing.T) {
	reached := false
	server, c := startHTTPS(t, func(http.ResponseWriter, *http.Request) { reached = true })
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	client := outbound.New(c).Foreign()
	for _, host := range []string{"2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "017700000001", "127.0.0.1."} {
		if got, err := read(client, "https://"+host+port); err == nil {
			t.Errorf("%s: got %q", host, got)
		}
	}
	if reached {
		t.Error("a numeric host reached the server")
	}
}

func TestIsPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "2606:4700::1111": true, "2a00:1450::1": true,
		"192.168.0.1": false, "::ffff:8.8.8.8": false, "2002:808:808::": false, "64:ff9b::808:808": false, "4000::1": false,
	} {
		if got := outbound.IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if outbound.IsPublic(netip.Addr{}) {
		t.Error("the zero address is public")
	}
	private := netip.MustParsePrefix("10.1.0.0/16")
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false} {
		if got := outbound.IsPublic(netip.MustParseAddr(text), private); got != want {
			t.Errorf("%s with 10.1.0.0/16 allowed: got %v, want %v", text, got, want)
		}
	}
}

// DR-02: Calls to addresses from strangers never reach loopback or private networks; the
// connected address is checked.
func TestOutbound_AllowedNetworkIsReached(t *testing.T) {
	server, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "inside") })
	if _, err := read(outbound.New(c).Foreign(), server.URL); !errors.Is(err, outbound.ErrNotPublic) {
		t.Errorf("got %v, want ErrNotPublic", err)
	}
	c.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if got, err := read(outbound.New(c).Foreign(), server.URL); err != nil || got != "inside" {
		t.Errorf("allowed: got %q, %v", got, err)
	}
}

// DR-03: DNS changes, redirects and downgrades to http do not get around that.
func TestOutbound_SchemesAndPasswords(t *testing.T) {
	c := outbound.New(outbound.Config{Timeout: 2 * time.Second})
	for _, address := range []string{"http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "gopher://127.0.0.1:70/"} {
		if _, err := read(c.Foreign(), address); !errors.Is(err, outbound.ErrScheme) {
			t.Errorf("Foreign %s: got %v, want ErrScheme", address, err)
		}
	}
	for _, address := range []string{"http://10.0.0.1/", "http://idp.corp.example/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/"} {
		if _, err := read(c.Configured(), address); !errors.Is(err, outbound.ErrScheme) {
			t.Errorf("Configured %s: got %v, want ErrScheme", address, err)
		}
	}
	if _, err := read(c.Configured(), "https://user:hush@127.0.0.1/"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a password in a URL: got %v", err)
	}
}

func TestConfigured_PlainHTTPOnLoopback(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	t.Cleanup(server.Close)
	client := outbound.New(outbound.Config{}).Configured()
	for _, address := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		if got, err := read(client, address); err != nil || got != "here" {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}

// DR-03: DNS changes, redirects and downgrades to http do not get around that.
func TestOutbound_Redirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(other.Close)
	server, c := startHTTPS(t, nil)
	inside := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch to := r.URL.Query().Get("to"); {
		case r.URL.Path == "/there":
			io.WriteString(w, "moved")
		default:
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	for name, client := range bothClients(c) {
		if got, err := read(client, server.URL+"/?to=/there"); err != nil || got != "moved" {
			t.Errorf("%s within the server: got %q, %v", name, got, err)
		}
		for _, to := range []string{
			other.URL, inside + "/there", "https://169.254.169.254/", "http://" + server.Listener.Addr().String() + "/there",
			"//evil.example/", "file:///etc/passwd", "/?to=%2F%3Fto%3D",
		} {
			if got, err := read(client, server.URL+"/?to="+url.QueryEscape(to)); err == nil {
				t.Errorf("%s to %s: got %q", name, to, got)
			}
		}
	}
}

// DR-04: Fetched documents are limited in size, time and type.
func TestOutbound_LargeAnswers(t *testing.T) {
	server, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		body := bytes.Repeat([]byte("a"), map[string]int{"/fits": 1000, "/announced": 1001, "/streamed": 100_000}[r.URL.Path])
		if r.URL.Path == "/streamed" {
			http.NewResponseController(w).Flush()
		}
		w.Write(body)
	})
	c.MaxBody = 1000
	for name, client := range bothClients(c) {
		if got, err := read(client, server.URL+"/fits"); err != nil || len(got) != 1000 {
			t.Errorf("%s at the limit: got %d bytes, %v", name, len(got), err)
		}
		for _, path := range []string{"/announced", "/streamed"} {
			if got, err := read(client, server.URL+path); !errors.Is(err, outbound.ErrTooLarge) || len(got) > 1000 {
				t.Errorf("%s %s: got %d bytes, %v; want ErrTooLarge", name, path, len(got), err)
			}
		}
	}
}

// TestOutbound_GzipBomb: a compressed body is not decompressed.
// DR-04: Fetched documents are limited in size, time and type.
func TestOutbound_GzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 8<<20))
	z.Close()
	server, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb.Bytes())
	})
	for name, client := range bothClients(c) {
		if got, err := read(client, server.URL); err != nil || len(got) != bomb.Len() {
			t.Errorf("%s: got %d bytes, %v; want the %d that were sent", name, len(got), err, bomb.Len())
		}
	}
}

// DR-04: Fetched documents are limited in size, time and type.
func TestOutbound_SlowAnswers(t *testing.T) {
	server, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drip" {
			io.WriteString(w, "a")
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // if the handler returned, the client could get a complete answer
	})
	c.Timeout = 300 * time.Millisecond
	for name, client := range bothClients(c) {
		for _, path := range []string{"/never", "/drip"} {
			begun := time.Now()
			if _, err := read(client, server.URL+path); err == nil {
				t.Errorf("%s %s: no error", name, path)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s %s: gave up after %v", name, path, took)
			}
		}
	}
}

// CF-07: TLS to upstreams and databases is verified, 1.2 or newer.
func TestOutbound_Certificates(t *testing.T) {
	server, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	unknown := c
	unknown.Roots = nil
	var certificate *tls.CertificateVerificationError
	for name, client := range bothClients(unknown) {
		if _, err := read(client, server.URL); !errors.As(err, &certificate) {
			t.Errorf("%s, unknown authority: got %v", name, err)
		}
	}
	for name, client := range bothClients(c) {
		otherName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // not in the certificate
		if _, err := read(client, otherName); !errors.As(err, &certificate) {
			t.Errorf("%s, other name: got %v", name, err)
		}
	}
}

// CF-07: TLS to upstreams and databases is verified, 1.2 or newer.
func TestOutbound_OldTLS(t *testing.T) {
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	roots, err := outbound.Roots(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: old.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range bothClients(outbound.Config{Roots: roots}) {
		if _, err := read(client, old.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: got %v, want a refusal of the protocol version", name, err)
		}
	}
}

func TestRoots_NoCertificate(t *testing.T) {
	if _, err := outbound.Roots([]byte("nonsense")); err == nil {
		t.Error("no error for text without a certificate")
	}
}

func TestClient_NoProxyFromEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy of the environment was used") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	client := outbound.New(outbound.Config{Timeout: time.Second}).Configured()
	if _, err := read(client, "https://host.invalid/"); err == nil {
		t.Error("a host that does not exist answered")
	}
}

func TestConfigured_ProxyBySetting(t *testing.T) {
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.New(outbound.Config{Proxy: through, Timeout: 2 * time.Second})
	read(c.Configured(), "https://idp.example/")
	if got := <-asked; got != "CONNECT idp.example:443" {
		t.Errorf("the proxy was asked %q", got)
	}
}
