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

// Jobs are the periodic jobs of one node.
type Jobs struct {
	Deps
	sweeper  *sweeper
	serving  *serving
	refusals *refusals
	readers  *readers
}

// New gives the jobs of a node that has done none of them yet.
func New(d Deps) *Jobs {
	return &Jobs{Deps: d, sweeper: newSweeper(), serving: newServing(), refusals: &refusals{}, readers: &readers{}}
}
