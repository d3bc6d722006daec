package oauth

import (
	"testing"

	"signet/provider/directory"
)

// A client may be registered for a grant type that nobody serves yet, but no grant type
// is served that no client may be registered for.
func TestGrants_ServedAreThoseOfTheDirectory(t *testing.T) {
	served := map[string]bool{}
	for _, g := range directory.GrantTypes() {
		served[g.Name] = g.Served
		if (grants[g.Name] != nil) != g.Served {
			t.Errorf("the directory says of %s: served is %v; the token endpoint says otherwise", g.Name, g.Served)
		}
	}
	for name := range grants {
		if !served[name] {
			t.Errorf("the token endpoint serves %s, for which no client can be registered", name)
		}
	}
}
