package providertest

import (
	"crypto/rsa"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// WellKnown is the path of the discovery document.
const WellKnown = "/.well-known/openid-configuration"

// Discovery is the provider's metadata.
func (b *Testbed) Discovery(t *testing.T) map[string]any {
	t.Helper()
	return b.Visitor(t).Fetch(t, b.Issuer+WellKnown).JSON(t)
}

// PublicKeys reads the JWKS with a library that is not ours.
func (b *Testbed) PublicKeys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	a := b.Visitor(t).Fetch(t, b.Discovery(t)["jwks_uri"].(string))
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if k, ok := key.Key.(*rsa.PublicKey); !key.Valid() || !key.IsPublic() || ok && k.N.BitLen() < 2048 {
			t.Errorf("key %s is not a good public key", key.KeyID)
		}
	}
	return set
}
