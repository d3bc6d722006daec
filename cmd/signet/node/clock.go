package node

import (
	"context"
	"sync/atomic"
	"time"

	"signet/storage"
)

// Clock is the one source of time of a node: this machine's wall clock, moved by
// how far the database's is ahead, so that all nodes on one PostgreSQL agree on
// when something expires.
type Clock struct {
	wall   func() time.Time
	offset atomic.Int64 // nanoseconds
}

// NewClock gives a clock that agrees with wall until it is measured.
func NewClock(wall func() time.Time) *Clock { return &Clock{wall: wall} }

// Now is the time that all nodes agree on.
func (c *Clock) Now() time.Time {
	return c.wall().Add(time.Duration(c.offset.Load()))
}

// Measure compares the clocks again. On an error the last offset stays.
func (c *Clock) Measure(ctx context.Context, db *storage.DB) error {
	offset, err := db.ClockOffset(ctx)
	if err == nil {
		c.offset.Store(int64(offset))
	}
	return err
}
