package upkeep

import (
	"log/slog"
	"time"

	"signet/storage"
)

// Deps are what Jobs needs. All are required.
type Deps struct {
	DB  *storage.DB
	Now func() time.Time // when a reader of the JWKS comes
	Log *slog.Logger
}

// Jobs are the periodic jobs of one node. Each keeps its own memory.
type Jobs struct {
	*sweeper           // SweepOnce
	*connectorPresence // EndRemovedConnectorsOnce, ReleaseConnectors
	*refusals          // Recorded, NoteRefusalsOnce
	*readers           // Noted, NoteReadersOnce
}

// New gives the jobs of a node that has done none of them yet.
func New(d Deps) *Jobs {
	return &Jobs{newSweeper(d.DB), newConnectorPresence(d.DB, d.Log), &refusals{db: d.DB}, &readers{db: d.DB, now: d.Now}}
}
