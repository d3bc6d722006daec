package credential

import (
	"context"
	"errors"
	"sync/atomic"

	"signet/provider/web"
)

// ErrBusy: the queue for hashing is full. The answer is 503 with Retry-After.
var ErrBusy = web.Because("busy", errors.New("too many sign-ins at once"))

// queue limits the memory and the processor time of hashing: some callers run at once,
// some wait, and all others are refused immediately.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	limit   int64
}

func newQueue(workers, limit int) *queue {
	return &queue{slots: make(chan struct{}, workers), limit: int64(limit)}
}

// do waits for a free slot, runs work and returns its error. ErrBusy: too many callers are
// waiting. If the context ends first, do returns its error. In both cases work did not run.
func (q *queue) do(ctx context.Context, work func() error) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	defer func() { <-q.slots }()
	return work()
}

func (q *queue) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	defer q.waiting.Add(-1)
	if q.waiting.Add(1) > q.limit {
		return ErrBusy
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
