package node

import (
	"os"
	"path/filepath"
)

// draft is a file that gets its name when it is complete.
type draft struct {
	*os.File
	temporary string // its name until then; "": it has none
}

// newNamedDraft creates a draft with a temporary name, which stays if the process is killed.
func newNamedDraft(name string) (*draft, error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	return &draft{f, f.Name()}, nil
}

// close closes the draft and removes its temporary name.
func (d *draft) close() {
	_ = d.Close()
	if d.temporary != "" {
		_ = os.Remove(d.temporary)
	}
}
