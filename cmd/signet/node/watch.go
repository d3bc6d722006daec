package node

import (
	"maps"

	"signet/cmd/signet/config"
)

// watch notices when files change: by their content, since time stamps are coarse
// and a link may come to name an older file.
type watch struct {
	acted config.Files // what was last acted on
	last  config.Files // what the last look found
}

// changed reports a change, once, when it has lasted from one look to the next:
// half a file is nothing to act on.
func (w *watch) changed() bool {
	now := config.Files{}
	for name := range w.acted {
		_, _ = now.Read(name) // a file that is gone has changed, too
	}
	settled := maps.Equal(now, w.last)
	w.last = now
	if !settled || maps.Equal(now, w.acted) {
		return false
	}
	w.acted = now
	return true
}
