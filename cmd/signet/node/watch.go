package main

import (
	"crypto/sha256"
	"maps"
	"os"
)

// contents are files by name, and what they held when they were read: its SHA-256,
// or nothing where they could not be.
type contents map[string][sha256.Size]byte

// read is os.ReadFile, and remembers.
func (c contents) read(name string) ([]byte, error) {
	content, err := os.ReadFile(name)
	c[name] = [sha256.Size]byte{}
	if err == nil {
		c[name] = sha256.Sum256(content)
	}
	return content, err
}

// watch notices when files change: by their content, since time stamps are coarse
// and a link may come to name an older file.
type watch struct {
	acted contents // what was last acted on
	last  contents // what the last look found
}

// changed reports a change, once, when it has lasted from one look to the next:
// half a file is nothing to act on.
func (w *watch) changed() bool {
	now := contents{}
	for name := range w.acted {
		_, _ = now.read(name) // a file that is gone has changed, too
	}
	settled := maps.Equal(now, w.last)
	w.last = now
	if !settled || maps.Equal(now, w.acted) {
		return false
	}
	w.acted = now
	return true
}
