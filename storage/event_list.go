package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// EventFilter selects events. Fields with the zero value do not restrict the selection.
type EventFilter struct {
	Type     EventType
	UserID   string
	ClientID string
	Outcome  Outcome
	Since    time.Time // includes this moment
	Before   Event     // selects events older than this one, the last event of the previous page
}

// Events lists the events that match the filter, the newest first, at most limit (1 to 1000). To
// read the next page, set Before to the last event of this page. Events recorded meanwhile do
// not shift the pages.
func (db *DB) Events(ctx context.Context, f EventFilter, limit int) ([]Event, error) {
	var list []Event
	err := db.read(ctx, "list events", func(q *gorm.DB) error {
		return f.apply(q).Order("at DESC, id DESC").Limit(min(max(limit, 1), 1000)).Find(&list).Error
	})
	return list, err
}

// Event reads one event. ErrNotFound.
func (db *DB) Event(ctx context.Context, id string) (e Event, err error) {
	if err := refuseImpossible(id); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	err = db.read(ctx, "read event", func(q *gorm.DB) error { return q.Where("id = ?", id).Take(&e).Error })
	return e, err
}

func (f EventFilter) apply(q *gorm.DB) *gorm.DB {
	if f.Type != "" {
		q = q.Where("type = ?", f.Type)
	}
	if f.UserID != "" {
		q = q.Where("user_id = ? AND user_id <> ''", f.UserID) // the index contains only rows with a user
	}
	if f.ClientID != "" {
		q = q.Where("client_id = ? AND client_id <> ''", f.ClientID)
	}
	if f.Outcome != "" {
		q = q.Where("outcome = ?", f.Outcome)
	}
	if !f.Since.IsZero() {
		q = q.Where("at >= ?", At(f.Since))
	}
	if f.Before.ID != "" {
		q = q.Where("(at, id) < (?, ?)", f.Before.At, f.Before.ID)
	}
	return q
}
