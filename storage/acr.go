package storage

import "slices"

// The values of acr, from the weakest to the strongest. The first two are Signet's own.
const (
	// ACROneFactor: the person gave one proof, of any kind.
	ACROneFactor = "urn:signet:1fa"
	// ACRTwoFactors: the person gave proofs of two kinds.
	ACRTwoFactors = "urn:signet:2fa"
	// ACRPhishingResistant: one of the proofs was made by a key that answers only the right site
	// (OpenID Connect Extended Authentication Profile ACR Values 1.0, section 2).
	ACRPhishingResistant = "phr"
)

var acrOrder = []string{ACROneFactor, ACRTwoFactors, ACRPhishingResistant}

// ACRValues lists the values that the acr of a session may have, the weakest first. The last one
// needs a passkey or a security key, which an issuer without a host name cannot have.
func ACRValues() []string { return slices.Clone(acrOrder) }

// KnownACRs returns the values that are Signet's, each once, in their order.
func KnownACRs(values []string) []string {
	var known []string
	for _, value := range values {
		if slices.Contains(acrOrder, value) && !slices.Contains(known, value) {
			known = append(known, value)
		}
	}
	return known
}

// ACRReaches reports whether a sign-in with the acr has also has the acr wanted: it is the same
// value or a weaker one. A value that is not Signet's is reached by nothing.
func ACRReaches(has, wanted string) bool {
	at := slices.Index(acrOrder, wanted)
	return at >= 0 && slices.Index(acrOrder, has) >= at
}

// StrongerACR returns the stronger of two values. A value that is not Signet's is the weakest.
func StrongerACR(a, b string) string {
	if slices.Index(acrOrder, b) > slices.Index(acrOrder, a) {
		return b
	}
	return a
}
