package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
)

// issuingCA certifies hosts for tests.
type issuingCA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	dir         string
}

func newCA(t *testing.T) *issuingCA {
	t.Helper()
	ca := &issuingCA{dir: t.TempDir()}
	ca.certificate, ca.key = ca.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, filepath.Join(ca.dir, "ca.crt"), filepath.Join(ca.dir, "ca.key"))
	return ca
}

// issue completes the template, and writes certificate and key to files.
func (ca *issuingCA) issue(t *testing.T, template *x509.Certificate, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	}
	parent, signer := template, key
	if ca.certificate != nil {
		parent, signer = ca.certificate, ca.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", raw)
	writePEM(t, keyFile, "PRIVATE KEY", private)
	return made, key
}

func writePEM(t *testing.T, file, kind string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair issues a certificate for a host and returns the names of its files.
func (ca *issuingCA) pair(t *testing.T, template x509.Certificate, hosts ...string) config.CertificateFiles {
	t.Helper()
	dir := t.TempDir()
	files := config.CertificateFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	template.DNSNames = hosts
	ca.issue(t, &template, files.Cert, files.Key)
	return files
}

// client returns an HTTP client that trusts the authority and uses each connection once.
func (ca *issuingCA) client(adjust func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(ca.certificate)
	if adjust != nil {
		adjust(config)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
}

// tlsInstance is a server with a certificate.
type tlsInstance struct {
	ca     *issuingCA
	files  config.CertificateFiles
	issuer string
	env    []string
	talk   *signettest.SyncBuffer
}

func startTLS(t *testing.T, hosts ...string) *tlsInstance {
	t.Helper()
	i := &tlsInstance{ca: newCA(t)}
	i.files = i.ca.pair(t, x509.Certificate{}, hosts...)
	port := signettest.FreePort(t)
	i.issuer = fmt.Sprintf("https://localhost:%d", port)
	i.env = []string{
		"SIGNET_ISSUER=" + i.issuer, fmt.Sprintf("SIGNET_LISTEN=127.0.0.1:%d", port), "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
		"SIGNET_TLS_CERT=" + i.files.Cert, "SIGNET_TLS_KEY=" + i.files.Key,
	}
	asker := i.ca.client(func(c *tls.Config) { c.InsecureSkipVerify = true }) // as a proxy that checks no names
	i.talk, _ = signettest.StartTalking(t, asker, i.issuer, i.env, "serve")
	return i
}

func TestServe_AnswersOverTLS(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "localhost")
	for name, c := range map[string]struct {
		adjust func(*tls.Config)
		good   bool
	}{
		"as it likes":                   {nil, true},
		"1.3":                           {func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, true},
		"1.2":                           {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true},
		"1.1":                           {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false},
		"1.2 without authentication":    {only12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), false},
		"1.2 with a mode that is good":  {only12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), true},
		"1.2 without forward secrecy":   {only12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), false},
		"1.2 with ChaCha20":             {only12(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), true},
		"an authority of somebody else": {func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, false},
	} {
		response, err := i.ca.client(c.adjust).Get(i.issuer + "/healthz")
		if (err == nil) != c.good {
			t.Errorf("%s: got %v, want an answer: %v", name, err, c.good)
		}
		if name == "1.1" && !strings.Contains(fmt.Sprint(err), "protocol version") {
			t.Errorf("%s is refused for another reason: %v", name, err)
		}
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.Proto != "HTTP/2.0" || response.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("%s: %s, HSTS %q", name, response.Proto, response.Header.Get("Strict-Transport-Security"))
		}
	}
	var talk strings.Builder
	if code := program.Run(t.Context(), signettest.Surroundings(i.env, "", &talk, &talk), []string{"health"}); code != exit.OK {
		t.Errorf("signet health: exit code %d: %s", code, talk.String())
	}
	plain, err := http.Get("http" + strings.TrimPrefix(i.issuer, "https") + "/login")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Body.Close()
	if body, _ := io.ReadAll(plain.Body); plain.StatusCode != http.StatusBadRequest || strings.Contains(string(body), "<") || plain.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("plain http: got %s, HSTS %q, %s", plain.Status, plain.Header.Get("Strict-Transport-Security"), body)
	}
	if said := i.talk.String(); strings.Contains(said, "not for the issuer's host") {
		t.Errorf("it complains of a good certificate: %s", said)
	}
}

func only12(suite uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{suite} }
}

// TestServe_ANewCertificateIsShownWithoutARestart also writes an invalid pair: the server keeps
// the old one and logs the reason.
func TestServe_ANewCertificateIsShownWithoutARestart(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "localhost")
	shown := func() string {
		response, err := i.ca.client(nil).Get(i.issuer + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.TLS.PeerCertificates[0].SerialNumber.String()
	}
	renew := func(template x509.Certificate) string {
		template.DNSNames = []string{"localhost"}
		made, _ := i.ca.issue(t, &template, i.files.Cert, i.files.Key)
		return made.SerialNumber.String()
	}
	said := func(text string, times int) {
		signettest.Eventually(t, 20*time.Second, fmt.Sprintf("it says %q %d times", text, times), func() bool { return strings.Count(i.talk.String(), text) == times })
	}
	first := shown()
	second := renew(x509.Certificate{})
	signettest.Eventually(t, 20*time.Second, "the new certificate is shown", func() bool { return shown() == second })

	for n, breakIt := range []func(){
		func() { moveKey(t, i.ca.pair(t, x509.Certificate{}), i.files) },
		func() {
			renew(x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
		},
		func() { os.WriteFile(i.files.Cert, []byte("garbage"), 0o600) },
		func() { os.Remove(i.files.Key) },
	} {
		breakIt()
		said("the new certificate is not valid", n+1)
		if got := shown(); got != second || got == first {
			t.Errorf("with broken files certificate %s is shown, want %s", got, second)
		}
	}
	third := renew(x509.Certificate{})
	signettest.Eventually(t, 20*time.Second, "the certificate after that is shown", func() bool { return shown() == third })
	for _, why := range []string{"are no pair", "has expired", "cannot be read"} {
		if !strings.Contains(i.talk.String(), why) {
			t.Errorf("the log does not say that they %s", why)
		}
	}
}

func moveKey(t *testing.T, from, to config.CertificateFiles) {
	t.Helper()
	if err := os.Rename(from.Key, to.Key); err != nil {
		t.Fatal(err)
	}
}

// TestServe_RefusesACertificateNobodyWouldAccept checks that the error comes before any file is
// created.
func TestServe_RefusesACertificateNobodyWouldAccept(t *testing.T) {
	ca := newCA(t)
	good, other := ca.pair(t, x509.Certificate{}, "id.example.com"), ca.pair(t, x509.Certificate{}, "id.example.com")
	expired := ca.pair(t, x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1e9, 0)}, "id.example.com")
	early := ca.pair(t, x509.Certificate{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}, "id.example.com")
	canary := "-----BEGIN PRIVATE KEY-----canary"
	for name, c := range map[string]struct{ issuer, cert, key, want string }{
		"no pair":        {"https://id.example.com", good.Cert, other.Key, "SIGNET_TLS_CERT: and tls.key are no pair"},
		"expired":        {"https://id.example.com", expired.Cert, expired.Key, "SIGNET_TLS_CERT: names a certificate that has expired on 9 September 2001 01:46 UTC: renew it"},
		"too early":      {"https://id.example.com", early.Cert, early.Key, "names a certificate that is good from"},
		"no certificate": {"https://id.example.com", "/nowhere", good.Key, "SIGNET_TLS_CERT: names /nowhere, which cannot be read (no such file or directory)"},
		"no key":         {"https://id.example.com", good.Cert, "/nowhere", "SIGNET_TLS_KEY: names /nowhere, which cannot be read"},
		"swapped":        {"https://id.example.com", good.Key, good.Cert, "are no pair"},
		"plain http":     {"http://localhost:8080", good.Cert, good.Key, "SIGNET_TLS_CERT: is set, but the issuer http://localhost:8080 is plain http"},
		"cert alone":     {"https://id.example.com", good.Cert, "", "SIGNET_TLS_CERT: is set, but tls.key is not"},
		"key alone":      {"https://id.example.com", "", good.Key, "SIGNET_TLS_KEY: is set, but tls.cert is not"},
		"the key itself": {"https://id.example.com", good.Cert, canary, "SIGNET_TLS_KEY: is PEM text: use the path of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			env := []string{"SIGNET_ISSUER=" + c.issuer, "SIGNET_DATA_DIR=" + dir, "SIGNET_LISTEN=127.0.0.1:0"}
			if c.cert != "" {
				env = append(env, "SIGNET_TLS_CERT="+c.cert)
			}
			if c.key != "" {
				env = append(env, "SIGNET_TLS_KEY="+c.key)
			}
			var talk strings.Builder
			if code := program.Run(t.Context(), signettest.Surroundings(env, "", &talk, &talk), []string{"serve"}); code != exit.Config || !strings.Contains(talk.String(), c.want) || strings.Contains(talk.String(), "canary") {
				t.Errorf("exit code %d, want %d and %q: %s", code, exit.Config, c.want, talk.String())
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("it has made its folder")
			}
		})
	}
}

// TestServe_WarnsOfACertificateForAnotherHost checks that the server starts with a warning,
// since a proxy in front may use that name.
func TestServe_WarnsOfACertificateForAnotherHost(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "signet.internal")
	if said := i.talk.String(); !strings.Contains(said, "the certificate is for signet.internal and not for the issuer's host localhost") {
		t.Errorf("no warning in %s", said)
	}
	if _, err := i.ca.client(nil).Get(i.issuer + "/healthz"); err == nil {
		t.Error("a browser takes it")
	}
}

// pretendPostgres answers the request for TLS (PostgreSQL's protocol, section SSL Session
// Encryption) with a certificate, or refuses TLS if it has none. It reports the next message:
// "clear" or "sealed" for a startup message, or nothing.
func pretendPostgres(t *testing.T, pair *config.CertificateFiles) (port int, came func() string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	config := &tls.Config{}
	if pair != nil {
		certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	var mu sync.Mutex
	heard := ""
	startup := func(conn net.Conn, how string) {
		if _, err := io.ReadFull(conn, make([]byte, 8)); err == nil {
			mu.Lock()
			defer mu.Unlock()
			heard = how
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				asked := make([]byte, 8)
				if _, err := io.ReadFull(conn, asked); err != nil {
					return
				}
				switch {
				case binary.BigEndian.Uint32(asked[4:]) != 80877103:
					mu.Lock()
					defer mu.Unlock()
					heard = "clear"
				case pair == nil:
					_, _ = conn.Write([]byte("N"))
					startup(conn, "clear")
				default:
					_, _ = conn.Write([]byte("S"))
					startup(tls.Server(conn, config), "sealed")
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, func() string { mu.Lock(); defer mu.Unlock(); return heard }
}

// TestServe_DatabaseMustShowItsCertificate checks that Signet sends nothing to a database
// without the right certificate if sslmode requires one.
// CF-07: TLS to upstreams and databases is verified, 1.2 or newer.
func TestServe_DatabaseMustShowItsCertificate(t *testing.T) {
	ca := newCA(t)
	good, other := ca.pair(t, x509.Certificate{}, "localhost"), ca.pair(t, x509.Certificate{}, "db.example.com")
	root := "&sslrootcert=" + url.QueryEscape(filepath.Join(ca.dir, "ca.crt"))
	for name, c := range map[string]struct {
		pair       *config.CertificateFiles
		mode, want string
	}{
		"none, and none is asked for":     {nil, "disable", "clear"},
		"none":                            {nil, "require", ""},
		"none, and it should be verified": {nil, "verify-full" + root, ""},
		"the right one":                   {&good, "verify-full" + root, "sealed"},
		"of an authority nobody knows":    {&good, "verify-full", ""},
		"of another host":                 {&other, "verify-full" + root, ""},
	} {
		t.Run(name, func(t *testing.T) {
			port, came := pretendPostgres(t, c.pair)
			env := []string{fmt.Sprintf("SIGNET_DATABASE=postgres://signet:hunter2@localhost:%d/signet?sslmode=%s", port, c.mode), "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
			var talk strings.Builder
			if code := program.Run(t.Context(), signettest.Surroundings(env, "", &talk, &talk), []string{"user", "list"}); code != exit.Unreachable || strings.Contains(talk.String(), "hunter2") {
				t.Errorf("exit code %d, want %d: %s", code, exit.Unreachable, talk.String())
			}
			if got := came(); got != c.want {
				t.Errorf("what came to the database was %q, want %q; it was said:\n%s", got, c.want, talk.String())
			}
		})
	}
}
