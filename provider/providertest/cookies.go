package providertest

import (
	"strings"

	"signet/provider"
)

// Secure is the issuer of the tests that are about https.
const Secure = "https://id.example.com"

// SessionCookie is the name of the session's cookie.
func (b *Testbed) SessionCookie() string {
	if strings.HasPrefix(b.Issuer, "https:") {
		return "__Host-signet"
	}
	return "signet"
}

// IssuedOr leaves the issuer as it is for "".
func IssuedOr(issuer string) Option {
	if issuer == "" {
		return func(*provider.Config) {}
	}
	return IssuedBy(issuer)
}

// WithDecision is the form with this button pressed.
func WithDecision(f Form, decision string) Form {
	f.Values.Set("decision", decision)
	return f
}
