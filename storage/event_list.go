package storage

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// EventFilter chooses events; what is zero does not narrow.
type EventFilter struct {
	Type     EventType
	UserID   string
	ClientID string
	Outcome  Outcome
	Since    time.Time // this moment and later
	Before   Event     // what is older than this event: the last of the page before
}

// Events lists the events that a filter chooses, the newest first, at most
// limit (1 to 1000). For the next page, Before is the last event of this one: what
// is recorded meanwhile moves no page.
func (db *DB) Events(ctx context.Context, f EventFilter, limit int) ([]Event, error) {
	var list []Event
	err := db.read(ctx, "list events", func(q *gorm.DB) error {
		return f.in(q).Order("at DESC, id DESC").Limit(min(max(limit, 1), 1000)).Find(&list).Error
	})
	return list, err
}

func (f EventFilter) in(q *gorm.DB) *gorm.DB {
	if f.Type != "" {
		q = q.Where("type = ?", f.Type)
	}
	if f.UserID != "" {
		q = q.Where("user_id = ? AND user_id <> ''", f.UserID) // as the index has it
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
