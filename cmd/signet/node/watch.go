package node

import (
	"maps"

	"signet/cmd/signet/config"
)

// watch detects changed files by their content, since time stamps are coarse and a link may
// change to an older file.
type watch struct {
	acted config.Files // content at the last reported change
	last  config.Files // content at the last look
}

// changed reports a change once, when two looks in a row find the same new content: the first
// may find half a file.
func (w *watch) changed() bool {
	now := config.Files{}
	for name := range w.acted {
		_, _ = now.Read(name) // a removed file counts as changed
	}
	settled := maps.Equal(now, w.last)
	w.last = now
	if !settled || maps.Equal(now, w.acted) {
		return false
	}
	w.acted = now
	return true
}
