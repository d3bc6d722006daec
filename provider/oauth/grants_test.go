package oauth

import (
	"testing"

	"signet/storage"
)

// A client may be registered for a grant type that nobody serves yet, but no grant type
// is served that no client may be registered for.
func TestGrants_ServedAreThoseOfTheList(t *testing.T) {
	served := map[string]bool{}
	for _, g := range storage.GrantTypes() {
		served[g.Name] = g.Served
		if (grants[g.Name] != nil) != g.Served {
			t.Errorf("the list says of %s: served is %v; the token endpoint says otherwise", g.Name, g.Served)
		}
	}
	for name := range grants {
		if !served[name] {
			t.Errorf("the token endpoint serves %s, for which no client can be registered", name)
		}
	}
}
