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

// refusals keeps the events of refused requests until they are written, once a
// second, so that no refusal costs storage a call. Equal ones of a minute are one.
type refusals struct {
	db *storage.DB

	mu             sync.Mutex
	pending        map[refusalKind]*pendingRefusal
	windowStart    time.Time      // since when begun counts
	kindsByNetwork map[string]int // kinds that each network has begun
}

// refusalKind is what makes two refusals equal.
type refusalKind struct {
	what                            storage.EventType
	reason, user, client, grant, by string
	minute                          int64
}

func kindOf(e storage.Event) refusalKind {
	return refusalKind{e.Type, e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector, e.At.Time().Unix() / 60}
}

// pendingRefusal is the first of its kind, and the last of those that followed.
type pendingRefusal struct {
	first, last storage.Event
}

// times is how many refusals it stands for.
func (p *pendingRefusal) times() int64 { return p.first.Times + p.last.Times }

func (p *pendingRefusal) latest() storage.Event {
	if p.last.Times > 0 {
		return p.last
	}
	return p.first
}

// Bounds of what strangers can make us remember and write: kinds between two flushes,
// and kinds that a network begins within the window.
const (
	maxPending         = 1000
	maxKindsPerNetwork = 100
	maxNetworks        = 4096
	networkWindow      = 15 * time.Minute
)

// add adds the event of a refusal. It reports false for one that is over a bound:
// that refusal is in the log alone.
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

// drain gives what is pending, and leaves nothing pending.
func (r *refusals) drain() map[refusalKind]*pendingRefusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.pending
	r.pending = nil
	return taken
}

// putBack makes pending again what take gave and could not be written. It reports how
// many refusals are lost because too many kinds are pending by now.
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

// NoteRefusalsOnce writes the events of refused requests. Its caller calls it once a
// second, and at the end. If the database does not answer, or ctx has ended, the
// next call writes them.
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
		return fmt.Errorf("%d kinds of refusals are in the log alone: %w", len(taken), err) // they would fail again
	}
	if lost := r.putBack(taken); lost > 0 {
		return fmt.Errorf("%d refusals are in the log alone: %w", lost, err)
	}
	return err
}

// RecordRefusals takes the events of each request that next refuses. That a client presents
// another's code or refresh token is written before the answer is sent, as a replay is.
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
