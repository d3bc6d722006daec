package node

import (
	"context"
	"iter"
	"time"
)

// Every counts the ticks of an interval, from 1 on, until ctx ends. A tick that comes
// while the one before is still worked on is left out.
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
