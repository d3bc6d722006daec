package node

import (
	"context"
	"errors"
	"sync"
	"time"
)

// job is something that a node does once a second. It says when it begins to fail and
// when it works again.
type job struct {
	fails, works string
	once         func(ctx context.Context, second int) error
}

// jobs run beside each other, since each of them may take long: making an RSA key takes
// a good part of a second, a client may take five to answer, and a sweep goes through
// large tables.
func (n *Node) jobs() []job {
	jobs := []job{
		{"changes cannot be followed", "changes are followed again", n.followOnce},
		{"keys cannot be looked after", "keys are looked after again", n.rotateOnce},
		{"sign-outs cannot be told", "sign-outs are told again", n.deliverOnce},
		{"old rows cannot be swept", "old rows are swept again", n.sweepOnce},
	}
	if n.settings != nil {
		jobs = append(jobs, job{"settings cannot be followed", "settings are followed again", n.settings.followOnce})
	}
	return jobs
}

// startJobs runs the jobs until stop, which returns when all of them have ended.
func (n *Node) startJobs(ctx context.Context) (stop func()) {
	unlisten := func() {}
	if n.settings != nil {
		unlisten = n.settings.listen()
	}
	running, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, j := range n.jobs() {
		all.Go(func() { n.eachSecond(running, j) })
	}
	return func() {
		cancel()
		all.Wait()
		unlisten()
	}
}

// eachSecond runs the job once every second until ctx ends. It logs when the job begins
// to fail and when it works again, not sixty times a minute.
func (n *Node) eachSecond(ctx context.Context, j job) {
	failing := false
	for second := range Every(ctx, time.Second) {
		err := j.once(ctx, second)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			n.log.Warn(j.fails, "error", err)
		} else if err == nil && failing {
			n.log.Info(j.works)
		}
		failing = err != nil
	}
}

// followOnce lets the provider reload what other nodes and the command line have
// changed, and compares the clocks once a minute.
func (n *Node) followOnce(ctx context.Context, second int) error {
	err := errors.Join(n.Provider().FollowOnce(ctx, n.clock.Now()), n.Provider().NoteRefusalsOnce(ctx))
	if second%60 == 0 {
		err = errors.Join(err, n.clock.Measure(ctx, n.db), n.Provider().NoteReadersOnce(ctx, n.clock.Now()))
	}
	return err
}

// rotateOnce lets the keys go through their life.
func (n *Node) rotateOnce(ctx context.Context, _ int) error {
	return n.Provider().RotateOnce(ctx, n.clock.Now())
}

// deliverOnce tells clients of the sessions that have ended.
func (n *Node) deliverOnce(ctx context.Context, _ int) error {
	return n.Provider().DeliverOnce(ctx, n.clock.Now())
}

// sweepOnce deletes, once a minute, what is kept no longer.
func (n *Node) sweepOnce(ctx context.Context, second int) error {
	if second%60 != 0 {
		return nil
	}
	return n.Provider().SweepOnce(ctx, n.clock.Now())
}
