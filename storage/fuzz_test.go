package storage_test

import (
	"testing"

	"signet/storage"
)

// FuzzEmail checks that the canonical form of an address is its own canonical form.
func FuzzEmail(f *testing.F) {
	for _, seed := range []string{"Ada@Example.com", " ada@exämple.com ", "a@b@c", "@", "ada@", "ada@xn--exmple-cua.com", "ädä@example.com", "ada@example.com.", "a\x00@b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, email string) {
		canonical, err := storage.CanonicalEmail(email)
		if err != nil {
			return
		}
		again, err := storage.CanonicalEmail(canonical)
		if err != nil || again != canonical {
			t.Fatalf("%q has the canonical form %q, which has the canonical form %q, %v", email, canonical, again, err)
		}
	})
}
