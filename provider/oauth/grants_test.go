package oauth

import (
	"testing"

	"signet/storage"
)

// The token endpoint serves exactly the grant types that storage.GrantTypes marks as served.
// Clients may be registered for grant types that are not served yet.
func TestGrants_MatchStorageGrantTypes(t *testing.T) {
	served := map[string]bool{}
	for _, g := range storage.GrantTypes() {
		served[g.Name] = g.Served
		if (grants[g.Name] != nil) != g.Served {
			t.Errorf("%s: storage.GrantTypes has Served %v, but the token endpoint does the opposite", g.Name, g.Served)
		}
	}
	for name := range grants {
		if !served[name] {
			t.Errorf("the token endpoint serves %s, but no client can be registered for it", name)
		}
	}
}
