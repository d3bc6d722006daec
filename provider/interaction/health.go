package interaction

import (
	"context"
	"maps"
	"sync"
	"time"

	"signet/storage"
)

// Health records the results of trips to the upstreams. Requests only note a result in
// memory; WriteOnce writes it to the database, at most once a minute for each connector and
// code. So strangers cannot cause many writes with failing trips.
type Health struct {
	db *storage.DB

	mu      sync.Mutex
	noted   map[tripEnd]storage.ConnectorHealth // not yet stored
	written map[tripEnd]time.Time
}

// NewHealth returns a Health without results.
func NewHealth(db *storage.DB) *Health {
	return &Health{db: db, noted: map[tripEnd]storage.ConnectorHealth{}, written: map[tripEnd]time.Time{}}
}

// tripEnd is the result of a trip through a connector; the code of a success is "".
type tripEnd struct{ connector, code string }

const writeInterval = time.Minute

func (h *Health) succeeded(connector string, at time.Time) {
	h.note(tripEnd{connector, ""}, storage.ConnectorHealth{Connector: connector, SucceededAt: storage.At(at)})
}

func (h *Health) failed(connector, code string, cause error, at time.Time) {
	h.note(tripEnd{connector, code}, storage.ConnectorHealth{
		Connector: connector, FailedAt: storage.At(at), FailureCode: code, FailureReason: cause.Error(),
	})
}

func (h *Health) note(e tripEnd, health storage.ConnectorHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noted[e] = health
}

// WriteOnce writes the noted results that are due. Results that it cannot write stay noted
// for the next call.
func (h *Health) WriteOnce(ctx context.Context, at time.Time) error {
	for e, health := range h.due(at) {
		if err := h.db.UpdateConnectorHealth(ctx, health); err != nil {
			return err
		}
		h.markStored(e, health, at)
	}
	return nil
}

func (h *Health) due(at time.Time) map[tripEnd]storage.ConnectorHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := maps.Clone(h.noted)
	maps.DeleteFunc(due, func(e tripEnd, _ storage.ConnectorHealth) bool { return at.Sub(h.written[e]) < writeInterval })
	return due
}

func (h *Health) markStored(e tripEnd, health storage.ConnectorHealth, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.written[e] = at
	if h.noted[e] == health { // otherwise a newer result was noted meanwhile
		delete(h.noted, e)
	}
}
