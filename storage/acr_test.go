package storage_test

import (
	"testing"

	"signet/storage"
)

// OIDC Core, section 2: a sign-in with a strong acr also has the weaker ones.
func TestACR_StrongValueReachesWeakerOnes(t *testing.T) {
	order := []string{"urn:elsewhere", storage.ACROneFactor, storage.ACRTwoFactors, storage.ACRPhishingResistant}
	for has := range order {
		for wanted := range order {
			if got, want := storage.ACRReaches(order[has], order[wanted]), wanted > 0 && has >= wanted; got != want {
				t.Errorf("%s reaches %s: %v, want %v", order[has], order[wanted], got, want)
			}
			if got, want := storage.StrongerACR(order[has], order[wanted]), order[max(has, wanted)]; got != want {
				t.Errorf("the stronger of %s and %s: %s, want %s", order[has], order[wanted], got, want)
			}
		}
	}
}
