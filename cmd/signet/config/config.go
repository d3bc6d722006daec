package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"

	"signet/cmd/signet/exit"
	"signet/federation"
	"signet/provider"
	"signet/provider/outbound"
)

// DefaultFile is the settings file that is read if it exists and no other file is named.
const DefaultFile = "signet.yaml"

// SystemFile is the settings file of the machine, which packages install. It is read if no other
// file is named and the working directory has no DefaultFile, so that the commands of an operator
// find the settings of the service from every folder.
const SystemFile = "/etc/signet/signet.yaml"

// Config holds the checked settings of one process. The embedded provider.Config holds those
// of the provider, without the master key, the PKCS #11 module, the clock and the log: only a
// running process has them.
type Config struct {
	provider.Config
	Listen     string      // a host and a port, or unix: and a path
	ListenMode fs.FileMode // of a unix socket
	DataDir    string
	Database   federation.Secret // a URL may hold a password

	DatabasePassword federation.Secret // of PostgreSQL; "": in the URL, or in a file that PostgreSQL's own variables name
	// DatabasePasswordFile is the file that contains DatabasePassword, or "".
	DatabasePasswordFile string
	PasswordPlace        string // where the password of PostgreSQL comes from, for error messages

	Master   MasterKeys
	LogLevel slog.Level
	PKCS11   PKCS11
	OpenSSL  bool              // libcrypto makes the RSA signatures
	SignUp   string            // signUpClosed, signUpConnectors or signUpOpen
	ExtraCA  string            // PEM
	Proxy    federation.Secret // a URL may hold a password
	TLS      CertificateFiles
}

// MasterKeys holds the master key, and the next one for `signet keys rewrap`, as written in
// the settings. Empty: the key is in a file of the data directory. See ParseMasterKey.
type MasterKeys struct{ Key, Next federation.Secret }

// CertificateFiles holds the paths of a certificate and its key. Both are empty if a proxy
// terminates TLS.
type CertificateFiles struct{ Cert, Key string }

// IsSet reports whether Signet serves TLS itself.
func (f CertificateFiles) IsSet() bool { return f.Cert != "" }

// PKCS11 holds the settings of a hardware security module for new signing keys. Module is ""
// if there is none.
type PKCS11 struct {
	Module     string // file of the PKCS #11 module
	Token      string // label of the token
	PIN        federation.Secret
	Algorithms []string // algorithms of the new keys that are made in the token; nil for all
}

// Values of the setting signup.
const (
	signUpClosed     = "closed"
	signUpConnectors = "connectors"
	signUpOpen       = "open"
)

// Values of the setting factors.required.
const (
	factorsNone   = "none"
	factorsAdmins = "admins"
	factorsAll    = "all"
)

// Live returns the settings that a running provider applies without a restart.
func (c Config) Live() provider.Live {
	return provider.Live{Connectors: c.Connectors, TrustedProxies: c.TrustedProxies, Origins: c.FirstParty.Origins, OpenSignUp: c.OpenSignUp}
}

// RequireIssuer returns an error if the issuer is not set.
func (c Config) RequireIssuer() error {
	if c.Issuer != "" {
		return nil
	}
	return exit.New(
		exit.Config, errors.New("the setting issuer is missing: it is the public address of this server"),
		"set it, for example SIGNET_ISSUER=https://id.example.com; to try Signet out: signet dev",
	)
}

// outbound returns the settings for calls to other hosts.
func (c Config) outbound() outbound.Config {
	var o outbound.Config
	if c.ExtraCA != "" {
		o.Roots, _ = outbound.Roots([]byte(c.ExtraCA)) // parsed before, in parseAuthorities
	}
	if proxy := c.Proxy.Reveal(); proxy != "" {
		o.Proxy, _ = url.Parse(proxy)
	}
	return o
}

// inModule returns the algorithms of the new keys that are made in the token.
func (c Config) inModule() []string {
	switch {
	case c.PKCS11.Module == "":
		return nil
	case c.PKCS11.Algorithms == nil:
		return slices.Clone(c.Algorithms)
	}
	return c.PKCS11.Algorithms
}
