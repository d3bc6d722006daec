package node

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestStorePrivate_OneOfManyWins checks that every caller receives the whole content of the
// file, independent of which caller was first.
func TestStorePrivate_OneOfManyWins(t *testing.T) {
	name := filepath.Join(t.TempDir(), "master.key")
	var given [20]string
	var callers sync.WaitGroup
	for i := range given {
		callers.Go(func() {
			line, err := StorePrivate(name, fmt.Sprintf("line %d", i))
			if err != nil {
				t.Error(err)
			}
			given[i] = line
		})
	}
	callers.Wait()
	kept, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range given {
		if line+"\n" != string(kept) {
			t.Errorf("caller %d was given %q, the file holds %q", i, line, kept)
		}
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("drafts are left: %v", left)
	}
}
