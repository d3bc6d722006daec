package engine

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// Write lets a test bring a use case of its own: one that fails, panics or waits.
func (db *DB) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return db.write(ctx, "run test's use case", run)
}

// Read lets a test look into a table.
func (db *DB) Read(ctx context.Context, run func(q *gorm.DB) error) error {
	return db.read(ctx, "run test's read", run)
}

// Queued is the number of use cases that wait for the writer of a SQLite file.
func (db *DB) Queued() int { return len(db.engine.(*sqliteFile).queue) }

// SetLockPatience shortens the wait for another process.
func (db *DB) SetLockPatience(d time.Duration) { db.engine.(*sqliteFile).lock.patience = d }

// SetWritePatience shortens the time of a write on PostgreSQL.
func (db *DB) SetWritePatience(d time.Duration) { db.engine.(*postgresPool).patience = d }

// Statements gives a migration as it is sent to SQLite or PostgreSQL.
func Statements(text string, postgres bool) []string {
	d := sqliteDialect
	if postgres {
		d = postgresDialect
	}
	return migration{sql: text}.statements(d)
}

// BatchSize is how many use cases a batch takes at most.
const BatchSize = batchSize
