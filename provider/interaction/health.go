package interaction

import (
	"context"
	"maps"
	"sync"
	"time"

	"signet/storage"
)

// Health takes note of how trips to the upstreams end. A page only leaves the
// note; WriteOnce stores it, once a minute at most for each connector and code,
// however many trips strangers make fail.
type Health struct {
	db *storage.DB

	mu      sync.Mutex
	noted   map[ending]storage.ConnectorHealth // not yet stored
	written map[ending]time.Time
}

// NewHealth begins with no notes.
func NewHealth(db *storage.DB) *Health {
	return &Health{db: db, noted: map[ending]storage.ConnectorHealth{}, written: map[ending]time.Time{}}
}

// ending is how a trip through a connector ended; the code of a success is "".
type ending struct{ connector, code string }

const writtenFor = time.Minute

func (h *Health) succeeded(connector string, at time.Time) {
	h.note(ending{connector, ""}, storage.ConnectorHealth{Connector: connector, SucceededAt: storage.At(at)})
}

func (h *Health) failed(connector, code string, cause error, at time.Time) {
	h.note(ending{connector, code}, storage.ConnectorHealth{
		Connector: connector, FailedAt: storage.At(at), FailureCode: code, FailureReason: cause.Error(),
	})
}

func (h *Health) note(e ending, health storage.ConnectorHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noted[e] = health
}

// WriteOnce stores what was noted and is due. What cannot be stored now is not
// lost.
func (h *Health) WriteOnce(ctx context.Context, at time.Time) error {
	for e, health := range h.due(at) {
		if err := h.db.UpdateConnectorHealth(ctx, health); err != nil {
			return err
		}
		h.stored(e, health, at)
	}
	return nil
}

func (h *Health) due(at time.Time) map[ending]storage.ConnectorHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := maps.Clone(h.noted)
	maps.DeleteFunc(due, func(e ending, _ storage.ConnectorHealth) bool { return at.Sub(h.written[e]) < writtenFor })
	return due
}

func (h *Health) stored(e ending, health storage.ConnectorHealth, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.written[e] = at
	if h.noted[e] == health { // else there is news by now
		delete(h.noted, e)
	}
}
