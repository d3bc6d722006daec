package main

import (
	"context"
	"sync/atomic"
	"time"

	"signet/storage"
)

// clock is the one source of time of a node: this machine's wall clock, moved by
// how far the database's is ahead, so that all nodes on one PostgreSQL agree on
// when something expires.
type clock struct {
	wall   func() time.Time
	offset atomic.Int64 // nanoseconds
}

func (c *clock) now() time.Time {
	return c.wall().Add(time.Duration(c.offset.Load()))
}

// measure compares the clocks again. On an error the last offset stays.
func (c *clock) measure(ctx context.Context, db *storage.DB) error {
	offset, err := db.ClockOffset(ctx)
	if err == nil {
		c.offset.Store(int64(offset))
	}
	return err
}
