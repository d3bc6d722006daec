package providertest

import (
	"strings"

	"signet/provider"
)

// HTTPSIssuer is an issuer with https, for tests of cookies and headers that depend on it.
const HTTPSIssuer = "https://id.example.com"

// SessionCookie returns the name of the session cookie under the testbed's issuer.
func (b *Testbed) SessionCookie() string {
	if strings.HasPrefix(b.Issuer, "https:") {
		return "__Host-signet"
	}
	return "signet"
}

// WithIssuerIfSet is WithIssuer, but keeps the default issuer for "".
func WithIssuerIfSet(issuer string) Option {
	if issuer == "" {
		return func(*provider.Config) {}
	}
	return WithIssuer(issuer)
}

// WithDecision sets the button that submits the form: "allow", "deny" and so on.
func WithDecision(f Form, decision string) Form {
	f.Values.Set("decision", decision)
	return f
}
