package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
)

// writeCertificates writes one key, and certificates of it that end at the times.
func writeCertificates(t *testing.T, file, keyFile string, ends ...time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var content []byte
	for n, end := range ends {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(n + 1)), Subject: pkix.Name{CommonName: fmt.Sprint("certificate ", n)}, DNSNames: []string{"id.example.com"},
			NotBefore: end.Add(-400 * day), NotAfter: end,
		}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: content, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if name == "" {
			continue
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// watched is a set of certificates with a clock that the test moves.
type watched struct {
	expiries
	said  *lines
	clock time.Time
}

// watchSettings reads settings and warns about their certificates as a start does.
func watchSettings(t *testing.T, at time.Time, env map[string]string) (*watched, []string) {
	t.Helper()
	env["SIGNET_ISSUER"], env["SIGNET_DATA_DIR"] = "https://id.example.com", filepath.Join(t.TempDir(), "data")
	read := config.Read(config.Sources{Env: env})
	ready := Prepare(t.Context(), read, at, env, false)
	if err := read.Err(); err != nil {
		t.Fatal(err)
	}
	w := &watched{said: &lines{}, clock: at}
	w.expiries = expiries{certificate: ready.Certificate, used: usedExpiries(read, env), now: func() time.Time { return w.clock }, log: slog.New(slog.NewTextHandler(w.said, nil))}
	w.start()
	var about []string
	for _, warning := range ready.Warnings {
		if strings.HasPrefix(warning, "the certificate of ") {
			about = append(about, warning)
		}
	}
	return w, about
}

// days moves the clock in steps of six hours, as often as given, and returns the warnings of
// each day on which there was one.
func (w *watched) days(t *testing.T, count int) (warned []string) {
	t.Helper()
	begin := w.clock
	for step := 1; step <= 4*count; step++ {
		before := w.said.count("the certificate of ")
		w.clock = begin.Add(time.Duration(step) * 6 * time.Hour)
		for range 3 {
			if err := w.warnOnce(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if more := w.said.count("the certificate of ") - before; more > 0 {
			warned = append(warned, fmt.Sprintf("%d:%d", step/4, more))
		}
	}
	return warned
}

// TestExpiry_WarnsOnceAtEachTime moves the clock to the end of a certificate of each kind and
// beyond it. A start within one of the times warns at once, and then not again for that time.
func TestExpiry_WarnsOnceAtEachTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, set := range map[string]func(dir string, t *testing.T, end time.Time) map[string]string{
		"served certificate": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/tls.crt", dir+"/tls.key", end)
			return map[string]string{"SIGNET_TLS_CERT": dir + "/tls.crt", "SIGNET_TLS_KEY": dir + "/tls.key"}
		},
		"served intermediate": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/tls.crt", dir+"/tls.key", end.Add(300*day), end, end.Add(200*day))
			return map[string]string{"SIGNET_TLS_CERT": dir + "/tls.crt", "SIGNET_TLS_KEY": dir + "/tls.key"}
		},
		"client certificate of the database": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/db.crt", dir+"/db.key", end)
			return map[string]string{"SIGNET_DATABASE": "postgres://signet@one.example.com:1,two.example.com:2/signet?sslmode=verify-full&sslcert=" + dir + "/db.crt&sslkey=" + dir + "/db.key", "SIGNET_MASTER_KEY": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="}
		},
		"client certificate of the variable": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/db.crt", "", end)
			return map[string]string{"SIGNET_DATABASE": "postgres://signet@db.example.com/signet", "PGSSLCERT": dir + "/db.crt", "SIGNET_MASTER_KEY": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="}
		},
		"authorities of the database": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/root.crt", "", end.Add(-300*day), end) // the old one does not count
			return map[string]string{"SIGNET_DATABASE": "postgres://signet@db.example.com/signet?sslrootcert=" + dir + "/root.crt", "SIGNET_MASTER_KEY": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="}
		},
		"authorities for upstreams": func(dir string, t *testing.T, end time.Time) map[string]string {
			writeCertificates(t, dir+"/ca.pem", "", end)
			return map[string]string{"SIGNET_OUTBOUND_EXTRA_CA": dir + "/ca.pem"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, atStart := watchSettings(t, now, set(t.TempDir(), t, now.Add(40*day)))
			if len(atStart) > 0 {
				t.Errorf("40 days before the end it says %q", atStart)
			}
			if got := strings.Join(w.days(t, 45), " "); got != "10:1 26:1 33:1 37:1 39:1 40:1" {
				t.Errorf("it warned on the days %s:\n%s", got, w.said)
			}
			for _, want := range []string{"in 30 days", "in 14 days", "in 7 days", "in 3 days", "within a day", "has ended on 10 February 2027"} {
				if !w.said.has(want) {
					t.Errorf("no warning says %q:\n%s", want, w.said)
				}
			}
			w, atStart = watchSettings(t, now, set(t.TempDir(), t, now.Add(10*day)))
			if len(atStart) != 1 || !strings.Contains(atStart[0], "in 10 days") {
				t.Errorf("10 days before the end it says %q", atStart)
			}
			if got := strings.Join(w.days(t, 12), " "); got != "3:1 7:1 9:1 10:1" {
				t.Errorf("after a start 10 days before the end it warned on the days %s", got)
			}
		})
	}
}

// TestExpiry_NewCertificateEndsTheWarnings replaces the files of a running server.
func TestExpiry_NewCertificateEndsTheWarnings(t *testing.T) {
	t.Parallel()
	now, dir := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC), t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificates(t, cert, key, now.Add(10*day))
	w, _ := watchSettings(t, now, map[string]string{"SIGNET_TLS_CERT": cert, "SIGNET_TLS_KEY": key})
	if got := strings.Join(w.days(t, 4), " "); got != "3:1" {
		t.Fatalf("it warned on the days %s", got)
	}
	replace := func(end time.Time) {
		writeCertificates(t, cert, key, end)
		for range 3 { // a change counts when it is seen twice
			w.certificate.followOnce(w.clock, w.log)
		}
	}
	replace(now.Add(200 * day))
	if got := w.days(t, 20); len(got) > 0 {
		t.Errorf("after the renewal it warned on the days %s", got)
	}
	replace(w.clock.Add(5 * day))
	if got := strings.Join(w.days(t, 1), " "); got != "0:1" {
		t.Errorf("after a renewal with a certificate that ends soon it warned on the days %s", got)
	}
}
