package credential

import (
	"context"
	"errors"
	"sync/atomic"

	"signet/provider/web"
)

// ErrBusy: the hashing queue is full. The answer is 503 with Retry-After.
var ErrBusy = web.Because("busy", errors.New("too many sign-ins at once"))

// queue bounds how much memory and processor time hashing can take: so many at
// once, so many waiting, and whoever comes then is sent away at once.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	limit   int64
}

func newQueue(workers, limit int) *queue {
	return &queue{slots: make(chan struct{}, workers), limit: int64(limit)}
}

// do runs work when its turn comes, and gives its error. ErrBusy if too many wait
// already; the context's error if it ends first: then work did not run.
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
