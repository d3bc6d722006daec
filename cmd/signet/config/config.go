package config

import (
	"errors"
	"log/slog"
	"net/url"
	"slices"

	"signet/cmd/signet/exit"
	"signet/federation"
	"signet/provider"
	"signet/provider/outbound"
)

// DefaultFile is read when it is there and nothing names another.
const DefaultFile = "signet.yaml"

// Config is the settings of one process, checked. The embedded provider.Config holds
// what the provider is told; the master key, the PKCS #11 module, the clock and the log
// are missing there, since only a running process has them.
type Config struct {
	provider.Config
	Listen   string
	DataDir  string
	Database federation.Secret // a URL may hold a password
	Master   MasterKeys
	LogLevel slog.Level
	PKCS11   PKCS11
	SignUp   string            // signUpClosed or signUpConnectors
	ExtraCA  string            // PEM
	Proxy    federation.Secret // a URL may hold a password
	TLS      CertificateFiles
}

// MasterKeys are the master key and the one that a rewrap moves to, as they were
// written; empty where the files of the data directory hold them. See ParseMasterKey.
type MasterKeys struct{ Key, Next federation.Secret }

// CertificateFiles name a certificate and its key. Both are empty where a proxy in
// front ends TLS.
type CertificateFiles struct{ Cert, Key string }

// IsSet reports whether there is a certificate to answer with.
func (f CertificateFiles) IsSet() bool { return f.Cert != "" }

// PKCS11 says where new signing keys are made: nowhere but here while Module is "".
type PKCS11 struct {
	Module     string // file of the PKCS #11 module
	Token      string // label of the token
	PIN        federation.Secret
	Algorithms []string // whose new keys are made there; nil for all
}

// How people get an account without an operator.
const (
	signUpClosed     = "closed"
	signUpConnectors = "connectors"
)

// Live is what a running provider takes over.
func (c Config) Live() provider.Live {
	return provider.Live{Connectors: c.Connectors, TrustedProxies: c.TrustedProxies, Origins: c.FirstParty.Origins}
}

// RequireIssuer refuses a configuration without an issuer, for the commands that cannot do
// without it.
func (c Config) RequireIssuer() error {
	if c.Issuer != "" {
		return nil
	}
	return exit.New(
		exit.Config, errors.New("the setting issuer is missing: it is the address people reach this server at"),
		"set it, for example SIGNET_ISSUER=https://id.example.com; to try Signet out: signet dev",
	)
}

// outbound is how this configuration has other hosts called.
func (c Config) outbound() outbound.Config {
	var o outbound.Config
	if c.ExtraCA != "" {
		o.Roots, _ = outbound.Roots([]byte(c.ExtraCA)) // was read when it was set
	}
	if proxy := c.Proxy.Reveal(); proxy != "" {
		o.Proxy, _ = url.Parse(proxy)
	}
	return o
}

// inModule lists the algorithms whose new keys are made in the token.
func (c Config) inModule() []string {
	switch {
	case c.PKCS11.Module == "":
		return nil
	case c.PKCS11.Algorithms == nil:
		return slices.Clone(c.Algorithms)
	}
	return c.PKCS11.Algorithms
}
