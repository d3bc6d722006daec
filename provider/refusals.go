package provider

import (
	"context"
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
	mu      sync.Mutex
	pending map[refusalKind]*pendingRefusal
	window  time.Time      // since when begun counts
	begun   map[string]int // kinds that each network has begun
}

// refusalKind is what makes two refusals equal.
type refusalKind struct {
	what                            storage.EventType
	reason, user, client, grant, by string
	minute                          int64
}

// pendingRefusal is the first of its kind, and the last of those that followed.
type pendingRefusal struct {
	first, last storage.Event
}

// Bounds of what strangers can make us remember and write: kinds between two flushes,
// and kinds that a network begins within the window.
const (
	mostPending         = 1000
	mostBegunByNetwork  = 100
	mostNetworksCounted = 4096
	begunWindow         = 15 * time.Minute
)

// note adds the event of a refusal. What is over a bound is in the log alone.
func (r *refusals) note(e storage.Event) {
	e.Times = 1
	at := e.At.Time()
	kind := refusalKind{e.Type, e.Reason, e.UserID, e.ClientID, e.GrantID, e.Connector, at.Unix() / 60}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.pending[kind]; p != nil {
		e.Times = p.last.Times + 1
		p.last = e
		return
	}
	if len(r.pending) < mostPending && r.mayBegin(storage.Network(e.From.Address), at) {
		if r.pending == nil {
			r.pending = map[refusalKind]*pendingRefusal{}
		}
		r.pending[kind] = &pendingRefusal{first: e}
	}
}

func (r *refusals) mayBegin(network string, at time.Time) bool {
	if at.Sub(r.window).Abs() >= begunWindow {
		r.window, r.begun = at, map[string]int{}
	}
	_, known := r.begun[network]
	if r.begun[network] >= mostBegunByNetwork || !known && len(r.begun) >= mostNetworksCounted {
		return false
	}
	r.begun[network]++
	return true
}

// take gives what is pending, as events to be recorded.
func (r *refusals) take() []storage.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []storage.Event
	for _, p := range r.pending {
		list = append(list, p.first)
		if p.last.Times > 0 {
			list = append(list, p.last)
		}
	}
	r.pending = nil
	return list
}

// NoteRefusalsOnce writes the events of refused requests. Its caller calls it once a
// second, and at the end.
func (p *Provider) NoteRefusalsOnce(ctx context.Context) error {
	list := p.refusals.take()
	if len(list) == 0 {
		return nil
	}
	return p.db.RecordEvents(ctx, list)
}

// recorded takes the events of each request that next refuses. That a client presents
// another's code or refresh token is written before the answer is sent, as a replay is.
func (p *Provider) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		trace := web.TraceOf(r.Context())
		list := trace.Refusals()
		if len(list) == 0 {
			return
		}
		if len(list) > 1 && strings.HasSuffix(r.URL.Path, "/token") {
			err := p.db.RecordEvents(context.WithoutCancel(r.Context()), list)
			if err == nil {
				return
			}
			trace.Note("event_error", err.Error())
		}
		for _, e := range list {
			p.refusals.note(e)
		}
	})
}
