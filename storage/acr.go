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

// ACRValues lists the values that the acr of a session may have, the weakest first. Sessions have
// ACRPhishingResistant too, where there can be passkeys.
func ACRValues() []string { return []string{ACROneFactor, ACRTwoFactors} }

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
