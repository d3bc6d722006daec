package node

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestKeepPrivate_OneOfManyWins: what is given to every caller is what lies in the
// file, whole, whoever was first.
func TestKeepPrivate_OneOfManyWins(t *testing.T) {
	name := filepath.Join(t.TempDir(), "master.key")
	var given [20]string
	var callers sync.WaitGroup
	for i := range given {
		callers.Go(func() {
			line, err := KeepPrivate(name, fmt.Sprintf("line %d", i))
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
