package node

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
)

// loadPair reads certificate and key, and refuses a certificate that is not valid at the time.
// The error is a config.Mistake without its place.
func loadPair(f config.CertificateFiles, now time.Time, seen config.Files) (*tls.Certificate, error) {
	cert, err := seen.Read(f.Cert)
	if err != nil {
		return nil, config.Mistake{Key: "tls.cert", Text: fmt.Sprintf("names %s, which cannot be read (%s)", f.Cert, exit.WithoutPath(err))}
	}
	key, err := seen.Read(f.Key)
	if err != nil {
		return nil, config.Mistake{Key: "tls.key", Text: fmt.Sprintf("names %s, which cannot be read (%s)", f.Key, exit.WithoutPath(err))}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, config.Mistake{Key: "tls.cert", Text: fmt.Sprintf("and tls.key are no pair (%s): name the certificate and the key that was made for it, both in PEM form", strings.TrimPrefix(err.Error(), "tls: "))}
	}
	const day = "2 January 2006 15:04 MST"
	switch {
	case now.After(pair.Leaf.NotAfter):
		return nil, config.Mistake{Key: "tls.cert", Text: "names a certificate that has expired on " + pair.Leaf.NotAfter.UTC().Format(day) + ": renew it"}
	case now.Before(pair.Leaf.NotBefore):
		return nil, config.Mistake{Key: "tls.cert", Text: "names a certificate that is good from " + pair.Leaf.NotBefore.UTC().Format(day) + " on: set the clock right, or wait"}
	}
	return &pair, nil
}

// Warning returns a warning if the certificate is not for the issuer's host, or "". That does
// not stop a start: a proxy in front may use another name for Signet.
func (c *Certificate) Warning(issuer string) string {
	if c == nil {
		return ""
	}
	leaf := c.shown.Load().Leaf
	u, err := url.Parse(issuer)
	if err != nil || leaf.VerifyHostname(u.Hostname()) == nil {
		return ""
	}
	names := strings.Join(leaf.DNSNames, ", ")
	for _, address := range leaf.IPAddresses {
		names = strings.TrimPrefix(names+", "+address.String(), ", ")
	}
	return fmt.Sprintf("the certificate is for %s and not for the issuer's host %s: browsers that come here without a proxy will refuse it", cmp.Or(names, "–"), u.Hostname())
}

// Certificate is the certificate and key of the listener. It reloads them when their files
// change. nil stands for plain http.
type Certificate struct {
	shown atomic.Pointer[tls.Certificate]
	ends  atomic.Pointer[expiry] // of shown
	files config.CertificateFiles
	watch watch
}

// OpenCertificate loads the certificate and key of the settings, or returns nil for plain
// http. An error about a setting is config.Mistakes, with their places.
func OpenCertificate(read *config.Reading, now time.Time) (*Certificate, error) {
	files := read.Config.TLS
	if !files.IsSet() {
		return nil, nil
	}
	seen := config.Files{}
	pair, err := loadPair(files, now, seen)
	if m, ok := errors.AsType[config.Mistake](err); ok {
		m.Place = read.Place(m.Key)
		return nil, exit.New(exit.Config, config.Mistakes{m}, "correct what is listed, then start again")
	}
	if err != nil {
		return nil, err
	}
	c := &Certificate{}
	c.show(files, pair, seen)
	return c, nil
}

func (c *Certificate) show(f config.CertificateFiles, pair *tls.Certificate, seen config.Files) {
	c.files, c.watch = f, watch{seen, seen}
	c.shown.Store(pair)
	ends := servedExpiry(pair, f.Cert)
	c.ends.Store(&ends)
}

// expiry returns the end of the certificate that is in use.
func (c *Certificate) expiry() expiry { return *c.ends.Load() }

// followOnce loads the certificate again if its files changed. It logs an invalid one and keeps
// the old one.
func (c *Certificate) followOnce(now time.Time, log *slog.Logger) {
	if !c.watch.changed() {
		return
	}
	seen := config.Files{}
	pair, err := loadPair(c.files, now, seen)
	if err != nil {
		log.Error("the new certificate is not valid: the server keeps the old one", "error", err)
		return
	}
	c.show(c.files, pair, seen)
	log.Info("the new certificate is in use", "not_after", pair.Leaf.NotAfter.UTC())
}

// config allows TLS 1.3, and TLS 1.2 with forward secrecy and authenticated encryption.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // for 1.2; all suites of 1.3 are of this kind
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown.Load(), nil },
	}
}
