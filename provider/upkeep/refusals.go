package upkeep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"signet/provider/web"
	"signet/storage"
)

// refusals collects the events of refused requests, which are written once a second, so that a
// refusal does not need its own database call. Equal refusals of the same minute are counted
// in one event.
type refusals struct {
	db *storage.DB

	mu             sync.Mutex
	pending        map[refusalKind]*pendingRefusal
	windowStart    time.Time      // start of the time window of kindsByNetwork
	kindsByNetwork map[string]int // number of new kinds from each network in the window
}

// refusalKind holds the members by which two refusals are equal.
type refusalKind struct {
	what                            storage.EventType
	reason, user, client, grant, by string
	minute                          int64
}

func kindOf(e storage.Event) refusalKind {
	return refusalKind{e.Type, e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector, e.At.Time().Unix() / 60}
}

// pendingRefusal holds the first refusal of a kind, and the last one of those that followed.
type pendingRefusal struct {
	first, last storage.Event
}

// times returns the number of refusals of this kind.
func (p *pendingRefusal) times() int64 { return p.first.Times + p.last.Times }

func (p *pendingRefusal) latest() storage.Event {
	if p.last.Times > 0 {
		return p.last
	}
	return p.first
}

// The limits for events that other parties can cause: the number of kinds between two writes,
// and the number of new kinds from one network within networkWindow.
const (
	maxPending         = 1000
	maxKindsPerNetwork = 100
	maxNetworks        = 4096
	networkWindow      = 15 * time.Minute
)

// add adds the event of a refusal. It reports false if a limit is reached: then the refusal is
// only in the log.
func (r *refusals) add(e storage.Event) bool {
	e.Times = 1
	at := e.At.Time()
	kind := kindOf(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.pending[kind]; p != nil {
		e.Times = p.last.Times + 1
		p.last = e
		return true
	}
	if len(r.pending) >= maxPending || !r.mayAddKind(storage.Network(e.From.Address), at) {
		return false
	}
	if r.pending == nil {
		r.pending = map[refusalKind]*pendingRefusal{}
	}
	r.pending[kind] = &pendingRefusal{first: e}
	return true
}

func (r *refusals) mayAddKind(network string, at time.Time) bool {
	if at.Sub(r.windowStart).Abs() >= networkWindow {
		r.windowStart, r.kindsByNetwork = at, map[string]int{}
	}
	_, known := r.kindsByNetwork[network]
	if r.kindsByNetwork[network] >= maxKindsPerNetwork || !known && len(r.kindsByNetwork) >= maxNetworks {
		return false
	}
	r.kindsByNetwork[network]++
	return true
}

// drain returns the pending refusals and removes them.
func (r *refusals) drain() map[refusalKind]*pendingRefusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.pending
	r.pending = nil
	return taken
}

// putBack adds refusals again that drain returned and that could not be written. It returns the
// number of refusals that are lost because too many kinds are pending.
func (r *refusals) putBack(taken map[refusalKind]*pendingRefusal) (lost int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending = map[refusalKind]*pendingRefusal{}
	}
	for kind, before := range taken {
		since := r.pending[kind]
		switch {
		case since != nil:
			times := before.last.Times + since.times()
			before.last = since.latest()
			before.last.Times = times
			r.pending[kind] = before
		case len(r.pending) < maxPending:
			r.pending[kind] = before
		default:
			lost += before.times()
		}
	}
	return lost
}

// NoteRefusalsOnce stores the events of refused requests. The caller calls it once a second, and
// when the node stops. If the database does not answer, or ctx has ended, the next call stores
// them.
func (r *refusals) NoteRefusalsOnce(ctx context.Context) error {
	taken := r.drain()
	if len(taken) == 0 {
		return nil
	}
	var list []storage.Event
	for _, pending := range taken {
		list = append(list, pending.first)
		if pending.last.Times > 0 {
			list = append(list, pending.last)
		}
	}
	err := r.db.RecordEvents(ctx, list)
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrUnavailable) && ctx.Err() == nil {
		return fmt.Errorf("%d kinds of refusals are only in the log: %w", len(taken), err) // another try would fail, too
	}
	if lost := r.putBack(taken); lost > 0 {
		return fmt.Errorf("%d refusals are only in the log: %w", lost, err)
	}
	return err
}

// RecordRefusals returns a handler that collects the events of requests that next refuses. If a
// client presents the code or refresh token of another client, the events are written before
// the answer is sent, as for a replay.
func (r *refusals) RecordRefusals(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		next.ServeHTTP(w, req)
		trace := web.TraceOf(req.Context())
		list := trace.Refusals()
		if len(list) == 0 {
			return
		}
		if len(list) > 1 && strings.HasSuffix(req.URL.Path, "/token") {
			err := r.db.RecordEvents(context.WithoutCancel(req.Context()), list)
			if err == nil {
				return
			}
			trace.Note("event_error", err.Error())
		}
		for _, e := range list {
			if !r.add(e) {
				trace.Note("event_error", "too many kinds of refusals: this one has no event")
			}
		}
	})
}
