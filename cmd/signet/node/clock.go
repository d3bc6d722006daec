package node

import (
	"context"
	"sync/atomic"
	"time"

	"signet/storage"
)

// Clock is the only source of time of a node: the wall clock of this machine plus its measured
// offset to the clock of the database. So all nodes on one PostgreSQL agree on when something
// expires.
type Clock struct {
	wall   func() time.Time
	offset atomic.Int64 // nanoseconds
}

// NewClock returns a clock that shows the time of wall until Measure is called.
func NewClock(wall func() time.Time) *Clock { return &Clock{wall: wall} }

// Now returns the time that all nodes agree on.
func (c *Clock) Now() time.Time {
	return c.wall().Add(time.Duration(c.offset.Load()))
}

// Measure compares the two clocks again. After an error the last offset stays.
func (c *Clock) Measure(ctx context.Context, db *storage.DB) error {
	offset, err := db.ClockOffset(ctx)
	if err == nil {
		c.offset.Store(int64(offset))
	}
	return err
}
