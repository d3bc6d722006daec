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

// Config says what differs from one installation to the next. The zero value
// works.
type Config struct {
	// Timeout ends a call, from the look-up of the name to the last byte of the
	// answer. 0: 5 s.
	Timeout time.Duration
	// MaxBody is the largest answer in bytes; a larger one is ErrTooLarge. 0: 1 MB.
	MaxBody int64
	// Roots verify the servers' certificates. Nil: the system's. See Roots.
	Roots *x509.CertPool
	// Allowed are networks that Foreign may reach although they are not public.
	Allowed []netip.Prefix
	// Proxy is asked for everything that Configured sends, nil: none. Foreign never
	// uses one, because behind a proxy nobody could check the address.
	Proxy *url.URL
	// UserAgent is sent with every call that names none. "": "signet".
	UserAgent string
	// Resolver turns names into addresses. Nil: the system's.
	Resolver *net.Resolver
}

var (
	// ErrScheme: neither https nor, for Configured, http to a loopback host.
	ErrScheme = errors.New("scheme is not https")
	// ErrRedirect: the answer sends us to another origin, or once too often.
	ErrRedirect = errors.New("redirect to another origin")
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

// New makes both clients; see Config for what is fixed.
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

// Foreign calls what strangers name: documents, registrations, notices.
func (c *Client) Foreign() *http.Client { return c.foreign }

// Configured calls what an operator named.
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
		DisableCompression:     true, // a small body must not become a large one
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

// sameOrigin lets a server move a document within itself. Anything else would
// carry credentials, or the trust in a host, to where nobody sent them.
func sameOrigin(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return ErrRedirect
	}
	return nil
}

// checkForeignURL refuses before anything is dialled what the dialer could not judge.
func checkForeignURL(u *url.URL) error {
	if u.Scheme != "https" {
		return ErrScheme
	}
	return nil
}

// checkConfiguredURL allows http where nobody but this machine can listen.
func checkConfiguredURL(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && foreign.IsLoopback(u.Hostname()) {
		return nil
	}
	return ErrScheme
}

// Roots are the system's certificate authorities and those in the PEM blocks given.
// It is an error if there is no certificate in them.
func Roots(extra []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any trusts only the extra ones
	}
	if !pool.AppendCertsFromPEM(extra) {
		return nil, fmt.Errorf("read certificate authorities: no certificate in PEM form found")
	}
	return pool, nil
}
