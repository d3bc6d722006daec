package upkeep

import (
	"context"
	"time"

	"signet/storage"
)

// maxBatches bounds what one sweep deletes of a kind: 50,000 rows a minute.
const maxBatches = 100

// sweeper is what SweepOnce remembers from run to run. Its runs come one after another.
type sweeper struct {
	db     *storage.DB
	holder string // this node, to the others
	walks  [2]storage.SessionCursor
}

func newSweeper(db *storage.DB) *sweeper {
	return &sweeper{db: db, holder: storage.NewID("sweep_"), walks: [2]storage.SessionCursor{{}, {Expired: true}}}
}

// SweepOnce deletes what is kept no longer: see storage.SweepRules and
// storage.DB.SweepSessions. Of several nodes one does it, under a lease; two at once
// would do no harm. Its caller calls it once a minute, never twice at a time.
func (s *sweeper) SweepOnce(ctx context.Context, at time.Time) error {
	until, mine, err := s.db.StartSweep(ctx, s.holder, at)
	if err != nil || !mine {
		return err
	}
	for _, kind := range storage.SweepRules {
		err := inBatches(func() (bool, error) { return s.db.SweepRows(ctx, kind, until) })
		if err != nil {
			return err
		}
	}
	for i := range s.walks {
		err := inBatches(func() (full bool, err error) {
			s.walks[i], full, err = s.db.SweepSessions(ctx, s.walks[i], until)
			return full, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inBatches sweeps until a batch is not full, or it is enough for now.
func inBatches(sweep func() (full bool, err error)) error {
	for range maxBatches {
		if full, err := sweep(); err != nil || !full {
			return err
		}
	}
	return nil
}
