//go:build !linux

package node

import (
	"os"

	"signet/storage"
)

func newDraft(name string) (*draft, error) { return newNamedDraft(name) }

// link gives the draft its name. os.ErrExist: a file of that name exists.
func (d *draft) link(name string) error { return os.Link(d.temporary, name) }

// giveToFolder gives the draft of root to the owner of its folder: see storage.GiveToFolder.
func (d *draft) giveToFolder() error { return storage.GiveToFolder(d.File, d.temporary) }
