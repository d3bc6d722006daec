package upkeep

import (
	"context"
	"time"

	"signet/storage"
)

// endedLogouts writes logout notices.
type endedLogouts struct{ db *storage.DB }

// QueueEndedLogoutsOnce writes the logout notices of sessions that ended together with
// everything else of the instance; see storage.DB.QueueEndedLogouts. The caller calls it once a
// second, before the notices are delivered.
func (l *endedLogouts) QueueEndedLogoutsOnce(ctx context.Context, at time.Time) error {
	return inBatches(func() (more bool, err error) { return l.db.QueueEndedLogouts(ctx, at) })
}
