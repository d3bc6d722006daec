package providertest

import (
	"strings"

	"signet/provider"
)

// HTTPSIssuer is the issuer of the tests that are about https.
const HTTPSIssuer = "https://id.example.com"

// SessionCookie is the name of the session's cookie.
func (b *Testbed) SessionCookie() string {
	if strings.HasPrefix(b.Issuer, "https:") {
		return "__Host-signet"
	}
	return "signet"
}

// WithIssuerIfSet leaves the issuer as it is for "".
func WithIssuerIfSet(issuer string) Option {
	if issuer == "" {
		return func(*provider.Config) {}
	}
	return WithIssuer(issuer)
}

// WithDecision is the form with this button pressed.
func WithDecision(f Form, decision string) Form {
	f.Values.Set("decision", decision)
	return f
}
