package providertest

import (
	"crypto/rsa"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// WellKnown is the path of the discovery document.
const WellKnown = "/.well-known/openid-configuration"

// Discovery fetches the discovery document of the provider.
func (b *Testbed) Discovery(t *testing.T) map[string]any {
	t.Helper()
	return b.Visitor(t).Fetch(t, b.Issuer+WellKnown).JSON(t)
}

// PublicKeys fetches the JWKS and parses it with another library than the provider's. It
// fails the test if a key is invalid, private, or an RSA key shorter than 2048 bits.
func (b *Testbed) PublicKeys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	a := b.Visitor(t).Fetch(t, b.Discovery(t)["jwks_uri"].(string))
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if k, ok := key.Key.(*rsa.PublicKey); !key.Valid() || !key.IsPublic() || ok && k.N.BitLen() < 2048 {
			t.Errorf("key %s is invalid, private or too short", key.KeyID)
		}
	}
	return set
}
