package node

import (
	"context"
	"iter"
	"time"
)

// Every yields the number of each tick of an interval, starting with 1, until ctx ends. It
// skips a tick that comes while the loop still works on the one before.
func Every(ctx context.Context, interval time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !yield(n) {
					return
				}
			}
		}
	}
}
