package storage

import (
	"context"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Write runs a use case of a test: one that fails, panics or waits.
func (db *DB) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return db.write(ctx, "run test's use case", run)
}

// Read runs a query of a test.
func (db *DB) Read(ctx context.Context, run func(q *gorm.DB) error) error {
	return db.read(ctx, "run test's read", run)
}

// RunScript runs the statements of a script in the format of the migrations.
func RunScript(tx *gorm.DB, script string) error { return engine.RunScript(tx, script) }
