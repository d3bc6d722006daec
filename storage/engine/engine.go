package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// Engine is an open database. It is safe for concurrent use.
type Engine struct {
	db       database
	postgres bool
	closed   atomic.Bool
	faults   Faults

	reads, writes atomic.Int64
}

// database is an open database of one kind: sqliteFile or postgresPool.
type database interface {
	// write runs a use case in one transaction. After nil or a Committed verdict, the
	// transaction is committed and durable. After another verdict, it is undone. After any other
	// error it is undone, or its outcome is unknown.
	write(context.Context, UseCase) error
	// reader returns the handle for reads.
	reader(context.Context) *gorm.DB
	// retriesUnprepared reports whether a statement failed because of a prepared statement, so
	// that a second attempt without prepared statements may succeed.
	retriesUnprepared(error) bool
	close() error
}

// Open opens the database, runs its pending migrations under a lock and checks that this program
// is not too old for the schema. ErrProgramOutdated, ErrUnavailable.
func Open(ctx context.Context, c Config) (*Engine, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Database == "" && c.DataDir == "":
		return nil, errors.New("open database: neither a data folder nor a database URL is set")
	case c.Database == "":
		d, err := openSQLite(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("open database in %s: %w", c.DataDir, err)
		}
		return &Engine{db: d, faults: c.Faults}, nil
	}
	d, err := openPostgres(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &Engine{db: d, postgres: true, faults: c.Faults}, nil
}

// Write runs one use case in one transaction. name is a bare verb phrase that errors begin with.
//
// A verdict (see NewVerdict) undoes the use case; Committed(verdict) does not. The caller gets
// the verdict in both cases. ErrUnavailable: nothing was done, or the outcome is unknown.
func (e *Engine) Write(ctx context.Context, name string, run UseCase) error {
	if e.closed.Load() {
		return callerError(name, errClosed)
	}
	e.writes.Add(1)
	return callerError(name, e.writeOrFail(ctx, name, run))
}

// writeOrFail runs a use case, with the fault that a test has chosen for it.
func (e *Engine) writeOrFail(ctx context.Context, name string, run UseCase) error {
	fault := e.faults.of(name)
	switch {
	case fault.Err == nil:
		return e.db.write(ctx, run)
	case fault.When == AtOnce:
		return asUnavailable(fault.Err) // as if BEGIN had failed
	case fault.When == BeforeCommit:
		return e.db.write(ctx, func(tx *gorm.DB) error {
			if err := run(tx); err != nil && !isCommitted(err) {
				return err
			}
			return fault.Err
		})
	}
	if err := e.db.write(ctx, run); err != nil && !isCommitted(err) {
		return err
	}
	return asUnavailable(fault.Err)
}

// Read runs one read of one statement.
func (e *Engine) Read(ctx context.Context, name string, run func(q *gorm.DB) error) error {
	if e.closed.Load() {
		return callerError(name, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return callerError(name, err)
	}
	e.reads.Add(1)
	if fault := e.faults.of(name); fault.Err != nil {
		return callerError(name, fault.Err)
	}
	err := run(e.db.reader(ctx))
	if err != nil && e.db.retriesUnprepared(err) {
		err = run(e.db.reader(ctx))
	}
	return callerError(name, err)
}

// Calls returns how many reads and write transactions were requested.
func (e *Engine) Calls() (reads, writes int64) { return e.reads.Load(), e.writes.Load() }

// Close waits for the running writes and closes the database. A second call does nothing.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	return e.db.close()
}

// Ping checks that the database answers. ErrUnavailable.
func (e *Engine) Ping(ctx context.Context) error {
	var one int64
	if err := e.Read(ctx, "ping", func(q *gorm.DB) error { return q.Raw(`SELECT 1`).Scan(&one).Error }); err != nil {
		return asUnavailable(err)
	}
	return nil
}

// ClockOffset measures how far the clock of the database is ahead of this machine's clock. It is
// zero on SQLite.
func (e *Engine) ClockOffset(ctx context.Context) (time.Duration, error) {
	if !e.postgres {
		return 0, nil
	}
	var micros int64
	before := time.Now()
	err := e.Read(ctx, "read clock", func(q *gorm.DB) error {
		return q.Raw(`SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT`).Scan(&micros).Error
	})
	if err != nil {
		return 0, err
	}
	middle := before.Add(time.Since(before) / 2)
	return time.UnixMicro(micros).Sub(middle.Round(0)), nil
}

// HasRowLocks reports whether several transactions may write at the same time, so that a use
// case must lock the rows on which it decides. SQLite has one writer and needs no row locks.
func (e *Engine) HasRowLocks() bool { return e.postgres }

// WrapConnections puts a layer between gorm and the connections that are open now. Only tests
// use it, to watch statements or make them fail.
func (e *Engine) WrapConnections(ctx context.Context, layer func(gorm.ConnPool) gorm.ConnPool) error {
	switch d := e.db.(type) {
	case *sqliteFile:
		d.read.Statement.ConnPool = layer(d.read.Statement.ConnPool)
		return e.Write(ctx, "wrap connections", func(*gorm.DB) error {
			d.tx.Statement.ConnPool = layer(d.tx.Statement.ConnPool)
			return nil
		})
	case *postgresPool:
		d.db.Statement.ConnPool = layer(d.db.Statement.ConnPool)
	}
	return nil
}
