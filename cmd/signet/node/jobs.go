package node

import (
	"context"
	"errors"
	"sync"
	"time"
)

// job is work that a node does once a second, with its log messages for the first failure and
// for the recovery.
type job struct {
	fails, works string
	once         func(ctx context.Context, second int) error
}

// jobs returns all jobs. They run in parallel, since each may take long: a new RSA key takes
// half a second, a client may take five seconds to answer, and a sweep reads large tables.
func (n *Node) jobs() []job {
	jobs := []job{
		{"cannot read changes from the database", "changes are read again", n.followOnce},
		{"cannot maintain the signing keys", "the signing keys are maintained again", n.rotateOnce},
		{"cannot send logout tokens", "logout tokens are sent again", n.deliverOnce},
		{"cannot send mails", "mails are sent again", n.sendMailsOnce},
		{"cannot send events to the webhook", "events are sent to the webhook again", n.sendEventsOnce},
		{"", "", n.noteClosedOnce},
		{"", "", n.expiries.warnOnce},
		{"cannot delete expired rows", "expired rows are deleted again", n.sweepOnce},
	}
	if n.rsa != nil {
		jobs = append(jobs, job{"cannot record that OpenSSL failed", "the failure of OpenSSL is recorded", n.noteRSAOnce})
	}
	if n.settings != nil {
		jobs = append(jobs, job{"cannot read the changed settings", "the settings are read again", n.settings.followOnce})
	}
	return jobs
}

// startJobs runs the jobs until stop is called. stop returns when all of them have ended.
func (n *Node) startJobs(ctx context.Context) (stop func()) {
	running, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, j := range n.jobs() {
		all.Go(func() { n.eachSecond(running, j) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// eachSecond runs the job once every second until ctx ends. It logs the first failure and the
// recovery, not each failure.
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

// followOnce lets the provider reload the changes of other nodes and of the command line, and
// compares the clocks once a minute.
func (n *Node) followOnce(ctx context.Context, second int) error {
	err := errors.Join(n.Provider().FollowOnce(ctx, n.clock.Now()), n.Provider().NoteRefusalsOnce(ctx))
	if second%60 == 0 {
		err = errors.Join(err, n.clock.Measure(ctx, n.db), n.Provider().NoteReadersOnce(ctx, n.clock.Now()))
	}
	return err
}

// rotateOnce creates, activates and retires keys when they are due.
func (n *Node) rotateOnce(ctx context.Context, _ int) error {
	return n.Provider().RotateOnce(ctx, n.clock.Now())
}

// deliverOnce sends clients the logout tokens of ended sessions.
func (n *Node) deliverOnce(ctx context.Context, _ int) error {
	return n.Provider().DeliverOnce(ctx, n.clock.Now())
}

// sendMailsOnce sends people the mails that are due.
func (n *Node) sendMailsOnce(ctx context.Context, _ int) error {
	return n.Provider().SendMailsOnce(ctx)
}

// sendEventsOnce sends the webhook the events that are due.
func (n *Node) sendEventsOnce(ctx context.Context, _ int) error {
	return n.Provider().SendEventsOnce(ctx)
}

// sweepOnce deletes expired rows after the start and then once a minute.
func (n *Node) sweepOnce(ctx context.Context, second int) error {
	if second%60 != 1 {
		return nil
	}
	return n.Provider().SweepOnce(ctx, n.clock.Now())
}
