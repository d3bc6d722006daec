package engine

import "time"

// Queued is the number of use cases that wait for the writer of a SQLite file.
func (e *Engine) Queued() int { return len(e.db.(*sqliteFile).queue) }

// SetLockPatience shortens the wait for another process.
func (e *Engine) SetLockPatience(d time.Duration) { e.db.(*sqliteFile).lock.patience = d }

// SetWritePatience shortens the time of a write on PostgreSQL.
func (e *Engine) SetWritePatience(d time.Duration) { e.db.(*postgresPool).patience = d }

// BatchSize is how many use cases a batch takes at most.
const BatchSize = batchSize
