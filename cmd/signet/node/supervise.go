package node

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"signet/cmd/signet/supervisor"
)

const (
	startMore  = 30 * time.Second // that a start asks for, again and again
	startTells = 10 * time.Second
	askItself  = time.Second // between two questions of a node to itself before it is ready
)

// attendance tells the service manager how the node is doing.
type attendance struct {
	*supervisor.Supervisor
	issuer string
	ready  atomic.Bool // the service manager knows that the node is ready
}

// starting asks the service manager for more time until stop is called, because a migration of
// a large database may take long.
func (a *attendance) starting(ctx context.Context) (stop func()) {
	const status = "Opening the database and bringing its schema up to date"
	running, cancel := context.WithCancel(ctx)
	a.Starting(status, startMore)
	go func() {
		for range Every(running, startTells) {
			a.Starting(status, startMore)
		}
	}()
	return cancel
}

// reload tells the service manager about a reload of the settings. Before the node is ready it
// says nothing: the message after a reload would say that the start has ended.
func (a *attendance) reload(reload func() (valid bool)) {
	told := a.ready.Load()
	if told {
		a.Reloading()
	}
	valid := reload()
	switch {
	case told && valid:
		a.Ready("Serving " + a.issuer)
	case told:
		a.Ready("Serving " + a.issuer + " with the previous settings, because the changed ones are not valid: see the log")
	}
}

// attend says that the node is ready as soon as it has answered itself, and then that it works,
// twice in the time of the watchdog, until ctx ends.
func (n *Node) attend(ctx context.Context, handler http.Handler) {
	healthy := n.selfCheck(handler)
	if !healthy(startMore) {
		for range Every(ctx, askItself) {
			if healthy(startMore) {
				break
			}
		}
	}
	if ctx.Err() != nil {
		return
	}
	n.attendance.Ready("Serving " + n.attendance.issuer)
	n.attendance.ready.Store(true)
	within := n.attendance.WatchdogTime() / 2
	if within == 0 {
		return
	}
	n.attendance.Working()
	failing := false
	for range Every(ctx, within) {
		working := healthy(within)
		if working {
			n.attendance.Working()
		} else if !failing && ctx.Err() == nil {
			n.log.Error("the server does not answer its own health check: the service manager will restart it", "within_ms", within.Milliseconds())
		}
		failing = !working
	}
}

// selfCheck returns a function that requests /healthz from the handler, without a connection,
// and reports whether it is answered in time. Connections of others cannot disturb the check,
// and neither can a firewall. A database that does not answer is no reason to restart the
// server, so /healthz does not ask it.
func (n *Node) selfCheck(handler http.Handler) func(within time.Duration) bool {
	path := "/healthz"
	if at, err := url.Parse(n.attendance.issuer); err == nil {
		path = at.Path + path
	}
	var answered chan int // of a check that is still running
	return func(within time.Duration) bool {
		if answered == nil {
			answered = make(chan int, 1)
			go func(status chan<- int) {
				answer := statusOnly{header: http.Header{}}
				request, err := http.NewRequest(http.MethodGet, path, http.NoBody)
				if err == nil {
					handler.ServeHTTP(&answer, request)
				}
				status <- answer.status
			}(answered)
		}
		late := time.NewTimer(within)
		defer late.Stop()
		select {
		case status := <-answered:
			answered = nil
			return status == http.StatusOK
		case <-late.C:
			return false
		}
	}
}

// statusOnly is an http.ResponseWriter that stores only the status.
type statusOnly struct {
	header http.Header
	status int
}

// Header returns the headers, which nobody reads.
func (s *statusOnly) Header() http.Header { return s.header }

// WriteHeader stores the first status.
func (s *statusOnly) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
}

// Write drops the bytes.
func (s *statusOnly) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	return len(b), nil
}
