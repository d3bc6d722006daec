package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Config says where the data is.
type Config struct {
	DataDir  string       // folder of signet.db, made 0700 if missing; used when Database is empty
	Database string       // "" for SQLite in DataDir, or postgres://…
	Log      *slog.Logger // nil: nothing is logged
	Faults   Faults       `json:"-"` // for tests alone; nil: nothing fails on purpose
}

// DB holds the use cases. It is safe for concurrent use.
type DB struct {
	engine   engine
	postgres bool
	closed   atomic.Bool
	faults   Faults

	reads, writes atomic.Int64
}

// Calls tells how many reads and write transactions this handle was asked for: a
// request's cost, for tests and metrics.
func (db *DB) Calls() (reads, writes int64) { return db.reads.Load(), db.writes.Load() }

// engine is a database: sqliteFile or postgresPool.
type engine interface {
	// write runs a use case in one transaction. nil: it is committed and durable.
	// A verdict (see isVerdict): nothing of it is. Anything else: not, or unknown.
	write(context.Context, useCase) error
	// reader gives what statements are read through.
	reader(context.Context) *gorm.DB
	close() error
}

// Open opens the database, brings its schema up to date under a lease and
// checks that this program is not older than the schema allows.
func Open(ctx context.Context, c Config) (*DB, error) {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Database == "" && c.DataDir == "":
		return nil, errors.New("open database: neither a data folder nor a database URL is set")
	case c.Database == "":
		e, err := openSQLite(ctx, c.DataDir, log)
		if err != nil {
			return nil, fmt.Errorf("open database in %s: %w", c.DataDir, err)
		}
		return &DB{engine: e, faults: c.Faults}, nil
	case strings.HasPrefix(c.Database, "postgres://"), strings.HasPrefix(c.Database, "postgresql://"):
		e, err := openPostgres(ctx, c.Database, log)
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		return &DB{engine: e, postgres: true, faults: c.Faults}, nil
	default:
		return nil, errors.New("open database: the URL must begin with postgres:// (leave it empty for SQLite)")
	}
}

// Close waits for the writes that are under way and closes the database.
// Closing it again does nothing.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	return db.engine.close()
}

// Ping reports whether the database answers. ErrUnavailable.
func (db *DB) Ping(ctx context.Context) error {
	var one int64
	if err := db.read(ctx, "ping", func(q *gorm.DB) error { return q.Raw(`SELECT 1`).Scan(&one).Error }); err != nil {
		return unavailable(err)
	}
	return nil
}

// Changes reads the change counter: it moves with every write that a cache
// (clients, keys, settings) could miss.
func (db *DB) Changes(ctx context.Context) (int64, error) {
	var changes int64
	err := db.read(ctx, "read change counter", func(q *gorm.DB) error {
		return q.Raw(`SELECT changes FROM instance WHERE id = 1`).Scan(&changes).Error
	})
	return changes, err
}

// ClockOffset measures how far the database's clock is ahead of this machine's:
// zero on SQLite. Callers add it to the wall clock.
func (db *DB) ClockOffset(ctx context.Context) (time.Duration, error) {
	if !db.postgres {
		return 0, nil
	}
	var micros int64
	before := time.Now()
	err := db.read(ctx, "read clock", func(q *gorm.DB) error {
		return q.Raw(`SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT`).Scan(&micros).Error
	})
	if err != nil {
		return 0, err
	}
	middle := before.Add(time.Since(before) / 2)
	return time.UnixMicro(micros).Sub(middle.Round(0)), nil
}

// write runs one use case in one transaction: all writes go through here. The
// name, a bare verb phrase, is the step that an error names.
func (db *DB) write(ctx context.Context, name string, run useCase) error {
	if db.closed.Load() {
		return answer(name, errClosed)
	}
	db.writes.Add(1)
	return answer(name, db.writeOrFail(ctx, name, run))
}

// read runs one read, of one statement: all reads go through here.
func (db *DB) read(ctx context.Context, name string, run func(q *gorm.DB) error) error {
	if db.closed.Load() {
		return answer(name, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return answer(name, err)
	}
	db.reads.Add(1)
	if fault := db.faults.of(name); fault.Err != nil {
		return answer(name, fault.Err)
	}
	return answer(name, run(db.engine.reader(ctx)))
}

// noteChange moves the change counter, in the transaction of what changed.
func noteChange(tx *gorm.DB) error {
	return tx.Exec(`UPDATE instance SET changes = changes + 1 WHERE id = 1`).Error
}

// lockRow holds back other transactions from a row until this one ends; the
// lock order is user, session, grant, rest. SQLite has one writer and needs none.
func (db *DB) lockRow(tx *gorm.DB, table lockable, id any, how string) error {
	if !db.postgres {
		return nil
	}
	return tx.Exec(`SELECT 1 FROM `+string(table)+` WHERE id = ? `+how, id).Error
}

// lockable is a table whose rows are locked by id.
type lockable string

const (
	instanceRow lockable = "instance"
	userRow     lockable = "users"
	clientRow   lockable = "clients"

	// forShare keeps the row as it is while others may hold it too.
	forShare = "FOR SHARE"
	// forUpdate is for one transaction at a time; foreign keys may still point at it.
	forUpdate = "FOR NO KEY UPDATE"
)
