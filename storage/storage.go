package storage

import (
	"context"
	"log/slog"
	"time"
)

// Config says where the data is.
type Config struct {
	DataDir  string       // folder of signet.db, made 0700 if missing; used when Database is empty
	Database string       // "" for SQLite in DataDir, or postgres://…
	Log      *slog.Logger // nil: nothing is logged
}

// DB holds the use cases. It is safe for concurrent use.
type DB struct{}

// Open opens the database, brings its schema up to date under a lease and
// checks that this program is not older than the schema allows.
func Open(ctx context.Context, c Config) (*DB, error) { panic("to build") }

// Close waits for the writes that are under way and closes the database.
func (db *DB) Close() error { panic("to build") }

// Ping reports whether the database answers. ErrUnavailable.
func (db *DB) Ping(ctx context.Context) error { panic("to build") }

// Changes reads the change counter: it moves with every write that a cache
// (clients, keys, settings) could miss.
func (db *DB) Changes(ctx context.Context) (int64, error) { panic("to build") }

// ClockOffset measures how far the database's clock is ahead of this machine's:
// zero on SQLite. Callers add it to the wall clock.
func (db *DB) ClockOffset(ctx context.Context) (time.Duration, error) { panic("to build") }
