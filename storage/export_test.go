package storage

import (
	"context"

	"gorm.io/gorm"
)

// Write lets a test bring a use case of its own: one that fails, panics or waits.
func (db *DB) Write(ctx context.Context, run func(tx *gorm.DB) error) error {
	return db.write(ctx, "run test's use case", run)
}

// BatchSize is how many use cases a batch takes at most.
const BatchSize = batchSize
