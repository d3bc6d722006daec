package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"signet/federation/foreign"
)

// Config holds the settings that differ between installations. The zero value works.
type Config struct {
	// Timeout ends a call, from the look-up of the name to the last byte of the
	// answer. 0: 5 s.
	Timeout time.Duration
	// MaxBody is the largest answer in bytes; a larger one is ErrTooLarge. 0: 1 MB.
	MaxBody int64
	// Roots verify the certificates of servers. Nil: the roots of the system. See Roots.
	Roots *x509.CertPool
	// Allowed lists networks that Foreign may reach although they are not public.
	Allowed []netip.Prefix
	// Proxy is used for all calls of Configured; nil: no proxy. Foreign never uses a proxy,
	// because it could not check the address that the proxy connects to.
	Proxy *url.URL
	// UserAgent is sent with every request that does not set one. "": "signet".
	UserAgent string
	// Resolver looks up host names. Nil: the resolver of the system.
	Resolver *net.Resolver
}

var (
	// ErrScheme: the URL is not https. Configured also allows http to a loopback host.
	ErrScheme = errors.New("scheme is not https")
	// ErrRedirect: the answer redirects to another origin, or there are too many redirects.
	ErrRedirect = errors.New("redirect to another origin, or more than 3 redirects")
)

const (
	defaultTimeout = 5 * time.Second
	defaultMaxBody = 1 << 20
	maxRedirects   = 3
	maxHeaderBytes = 64 << 10
)

// Client holds the two clients. They share no connections.
type Client struct {
	foreign, configured *http.Client
}

// New makes both clients.
func New(c Config) *Client {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.UserAgent == "" {
		c.UserAgent = "signet"
	}
	checked := &net.Dialer{Timeout: c.Timeout, Resolver: c.Resolver, Control: checkPublic(c.Allowed)}
	unchecked := &net.Dialer{Timeout: c.Timeout, Resolver: c.Resolver}
	return &Client{
		foreign:    c.client(c.transport(checked, nil), checkForeignURL),
		configured: c.client(c.transport(unchecked, c.Proxy), checkConfiguredURL),
	}
}

// Foreign returns the client for addresses that other parties set: in documents,
// registrations and for notices.
func (c *Client) Foreign() *http.Client { return c.foreign }

// Configured returns the client for addresses that an operator set.
func (c *Client) Configured() *http.Client { return c.configured }

func (c Config) client(inner http.RoundTripper, check func(*url.URL) error) *http.Client {
	return &http.Client{
		Transport:     limitedTransport{inner, check, c.MaxBody, c.UserAgent},
		Timeout:       c.Timeout,
		CheckRedirect: sameOrigin,
	}
}

func (c Config) transport(dialer *net.Dialer, proxy *url.URL) *http.Transport {
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
		TLSHandshakeTimeout:    c.Timeout,
		ResponseHeaderTimeout:  c.Timeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a small body must not decompress to a large one
		MaxIdleConnsPerHost:    4,
		MaxIdleConns:           64,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// sameOrigin allows up to 3 redirects within the same origin. A redirect to another origin could
// send credentials there, or return a document from an untrusted host. ErrRedirect.
func sameOrigin(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return ErrRedirect
	}
	return nil
}

// checkForeignURL allows only https. It runs before the dialer, which does not see the scheme.
// ErrScheme.
func checkForeignURL(u *url.URL) error {
	if u.Scheme != "https" {
		return ErrScheme
	}
	return nil
}

// checkConfiguredURL allows https, and http to loopback hosts, where only this machine can
// answer. ErrScheme.
func checkConfiguredURL(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && foreign.IsLoopback(u.Hostname()) {
		return nil
	}
	return ErrScheme
}

// Roots returns the certificate authorities of the system and those in the PEM blocks. It
// returns an error if the blocks contain no certificate.
func Roots(extra []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without authorities trusts only the extra ones
	}
	if !pool.AppendCertsFromPEM(extra) {
		return nil, fmt.Errorf("read certificate authorities: no certificate in PEM form found")
	}
	return pool, nil
}
