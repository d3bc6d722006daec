package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"signet/federation/foreign"
)

// ClientFilter selects clients. Its zero value selects all.
type ClientFilter struct {
	Type       ClientType // "": every type
	Disabled   bool       // only disabled clients
	Unapproved bool       // only clients that registered themselves and were not approved
	After      string     // ID of the last client of the previous page
}

// ClientPage lists clients by ID, at most limit (1 to 500).
func (db *DB) ClientPage(ctx context.Context, f ClientFilter, limit int) ([]Client, error) {
	if !foreign.IsStorable(f.After) {
		return nil, fmt.Errorf("list clients: %w", ErrNotFound)
	}
	var list []Client
	err := db.read(ctx, "list clients by page", func(q *gorm.DB) error {
		q = q.Where("id > ? AND "+isClient, f.After)
		if f.Type != "" {
			q = q.Where("type = ?", f.Type)
		}
		if f.Disabled {
			q = q.Where("disabled_at <> 0")
		}
		if f.Unapproved {
			q = q.Where("registered_at <> 0 AND approved_at = 0")
		}
		return q.Order("id").Limit(min(max(limit, 1), 500)).Find(&list).Error
	})
	return list, err
}
