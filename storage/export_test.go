package storage

import (
	"context"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Write lets a test bring a use case of its own: one that fails, panics or waits.
func (db *DB) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return db.write(ctx, "run test's use case", run)
}

// Read lets a test look into a table.
func (db *DB) Read(ctx context.Context, run func(q *gorm.DB) error) error {
	return db.read(ctx, "run test's read", run)
}

// RunScript runs the statements of a script that is written as a migration is.
func RunScript(tx *gorm.DB, script string) error { return engine.RunScript(tx, script) }
