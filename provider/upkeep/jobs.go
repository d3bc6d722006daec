package upkeep

import (
	"log/slog"
	"time"

	"signet/storage"
)

// Deps are the dependencies of Jobs. All fields are required.
type Deps struct {
	DB             *storage.DB
	EventRetention time.Duration    // audit events are deleted after this time
	Now            func() time.Time // the time of a fetch of the JWKS
	Log            *slog.Logger
}

// Jobs are the periodic jobs of one node. Each has its own state.
type Jobs struct {
	*sweeper           // SweepOnce
	*connectorPresence // EndRemovedConnectorsOnce, RemoveUnconfiguredGroupsOnce, ReleaseConnectors
	*refusals          // RecordRefusals, NoteRefusalsOnce
	*readers           // CountReaders, NoteReadersOnce
	*endedLogouts      // QueueEndedLogoutsOnce
}

// New returns the jobs of a node that has just started.
func New(d Deps) *Jobs {
	return &Jobs{newSweeper(d.DB, d.EventRetention), newConnectorPresence(d.DB, d.Log), &refusals{db: d.DB}, &readers{db: d.DB, now: d.Now}, &endedLogouts{d.DB}}
}
