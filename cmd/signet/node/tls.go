package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// certificateFiles name a certificate and its key. Both are empty where a proxy in
// front ends TLS.
type certificateFiles struct{ Cert, Key string }

func (f certificateFiles) given() bool { return f.Cert != "" }

func parseCertificatePath(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") {
		return "", errors.New("is PEM text: name the file that holds it")
	}
	return parsePath(text)
}

// compareTLS checks what certificate, key and issuer must have in common. It does
// not open the files: most commands may not even read them.
func (r *reader) compareTLS() {
	files, cert, key := r.config.TLS, r.given["tls.cert"], r.given["tls.key"]
	switch {
	case files.Cert != "" && files.Key == "":
		r.complain(cert.place, "tls.cert", "is set, and tls.key is not: set both, or neither where a proxy ends TLS")
	case files.Cert == "" && files.Key != "":
		r.complain(key.place, "tls.key", "is set, and tls.cert is not: set both, or neither where a proxy ends TLS")
	case files.given() && strings.HasPrefix(r.config.Issuer, "http:"):
		r.complain(cert.place, "tls.cert", "is set, but the issuer %s is plain http: make it https, or leave the certificate away", r.config.Issuer)
	}
}

// load reads the pair and refuses one that no client would accept at that time. The
// error is a mistake without its place.
func (f certificateFiles) load(now time.Time, seen contents) (*tls.Certificate, error) {
	cert, err := seen.read(f.Cert)
	if err != nil {
		return nil, mistake{key: "tls.cert", text: fmt.Sprintf("names a file that cannot be read (%s)", plainCause(err))}
	}
	key, err := seen.read(f.Key)
	if err != nil {
		return nil, mistake{key: "tls.key", text: fmt.Sprintf("names a file that cannot be read (%s)", plainCause(err))}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, mistake{key: "tls.cert", text: fmt.Sprintf("and tls.key are no pair (%s): name the certificate and the key that was made for it, both in PEM form", strings.TrimPrefix(err.Error(), "tls: "))}
	}
	const day = "2 January 2006 15:04 MST"
	switch {
	case now.After(pair.Leaf.NotAfter):
		return nil, mistake{key: "tls.cert", text: "names a certificate that has expired on " + pair.Leaf.NotAfter.UTC().Format(day) + ": renew it"}
	case now.Before(pair.Leaf.NotBefore):
		return nil, mistake{key: "tls.cert", text: "names a certificate that is good from " + pair.Leaf.NotBefore.UTC().Format(day) + " on: set the clock right, or wait"}
	}
	return &pair, nil
}

// misnamed says that a certificate is for other hosts than the issuer's, or "". That
// stops no start: a proxy in front may reach Signet by another name.
func misnamed(leaf *x509.Certificate, issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || leaf.VerifyHostname(u.Hostname()) == nil {
		return ""
	}
	names := strings.Join(leaf.DNSNames, ", ")
	for _, address := range leaf.IPAddresses {
		names = strings.TrimPrefix(names+", "+address.String(), ", ")
	}
	return fmt.Sprintf("the certificate is for %s and not for the issuer's host %s: browsers that come here without a proxy will refuse it", orNone(names), u.Hostname())
}

// certificate is the pair that the listener shows. It follows its files.
type certificate struct {
	shown atomic.Pointer[tls.Certificate]
	files certificateFiles
	watch watch
}

// openCertificate loads the pair of a start.
func openCertificate(f certificateFiles, now time.Time) (*certificate, error) {
	seen := contents{}
	pair, err := f.load(now, seen)
	if err != nil {
		return nil, err
	}
	c := &certificate{}
	c.show(f, pair, seen)
	return c, nil
}

// leaf is nil for plain http.
func (c *certificate) leaf() *x509.Certificate {
	if c == nil {
		return nil
	}
	return c.shown.Load().Leaf
}

func (c *certificate) show(f certificateFiles, pair *tls.Certificate, seen contents) {
	c.files, c.watch = f, watch{seen, seen}
	c.shown.Store(pair)
}

// followOnce shows the pair that its files have come to hold. A broken one is logged,
// and the old one stays.
func (c *certificate) followOnce(now time.Time, log *slog.Logger) {
	if !c.watch.changed() {
		return
	}
	seen := contents{}
	pair, err := c.files.load(now, seen)
	if err != nil {
		log.Error("the new certificate is not used, the old one stays", "error", err)
		return
	}
	c.show(c.files, pair, seen)
	log.Info("a new certificate is used", "not_after", pair.Leaf.NotAfter.UTC())
}

// config is TLS 1.3, or 1.2 with forward secrecy and authenticated encryption.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are all of this kind
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown.Load(), nil },
	}
}
