package storage

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Config says where the data is.
type Config struct {
	DataDir  string       // folder of signet.db, made 0700 if missing; used when Database is empty
	Database string       // "" for SQLite in DataDir, or postgres://…
	Log      *slog.Logger // nil: nothing is logged
	Faults   Faults       `json:"-"` // for tests alone; nil: nothing fails on purpose
}

// How a test lets a call of the database fail: see Config.Faults.
type (
	Faults      = engine.Faults
	Fault       = engine.Fault
	FaultMoment = engine.FaultMoment
)

// The moments of a Fault.
const (
	AtOnce       = engine.AtOnce
	BeforeCommit = engine.BeforeCommit
	AfterCommit  = engine.AfterCommit
)

// Millis is a moment in Unix milliseconds, UTC. Zero is never.
type Millis = engine.Millis

// MaxClockSkew is how far the clock of a node, or of an API that reads our tokens, may
// be from another's. Moments that lie further ahead were not read from a clock of ours.
const MaxClockSkew = time.Minute

// At gives the moment t as it is stored.
func At(t time.Time) Millis { return engine.At(t) }

// Migrations are numbered by their place in this folder and only ever appended:
// a file that was released never changes.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

var migrations = func() engine.Migrations {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the name of a folder is no path: a programmer's mistake
	}
	return engine.Migrations{Files: files, Work: map[int64]func(tx *gorm.DB) error{7: foldUsernames}}
}()

func (c Config) engineConfig() engine.Config {
	return engine.Config{DataDir: c.DataDir, Database: c.Database, Log: c.Log, Faults: c.Faults, Migrations: migrations}
}

// DB holds the use cases. It is safe for concurrent use.
type DB struct {
	engine *engine.Engine
}

// Open opens the database, brings its schema up to date under a lease and
// checks that this program is not older than the schema allows.
func Open(ctx context.Context, c Config) (*DB, error) {
	e, err := engine.Open(ctx, c.engineConfig())
	if err != nil {
		return nil, err
	}
	return &DB{e}, nil
}

// OpenExisting opens a database that is there and up to date, as Open does, but makes and
// migrates nothing. ErrNoDatabase, ErrDatabaseOutdated, ErrProgramOutdated, ErrUnavailable; an
// *fs.PathError where the files of a SQLite database may not be used.
func OpenExisting(ctx context.Context, c Config) (*DB, error) {
	e, err := engine.OpenExisting(ctx, c.engineConfig())
	if err != nil {
		return nil, err
	}
	return &DB{e}, nil
}

// Close waits for the writes that are under way and closes the database.
// Closing it again does nothing.
func (db *DB) Close() error { return db.engine.Close() }

// Ping reports whether the database answers. ErrUnavailable.
func (db *DB) Ping(ctx context.Context) error { return db.engine.Ping(ctx) }

// Calls tells how many reads and write transactions this handle was asked for: a
// request's cost, for tests and metrics.
func (db *DB) Calls() (reads, writes int64) { return db.engine.Calls() }

// ClockOffset measures how far the database's clock is ahead of this machine's:
// zero on SQLite. Callers add it to the wall clock.
func (db *DB) ClockOffset(ctx context.Context) (time.Duration, error) {
	return db.engine.ClockOffset(ctx)
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

// noteChange moves the change counter, in the transaction of what changed.
func noteChange(tx *gorm.DB) error {
	return tx.Exec(`UPDATE instance SET changes = changes + 1 WHERE id = 1`).Error
}

// write runs one use case in one transaction: all writes go through here. The
// name, a bare verb phrase, is the step that an error names.
func (db *DB) write(ctx context.Context, name string, run engine.UseCase) error {
	return withoutStep(db.engine.Write(ctx, name, run))
}

// read runs one read, of one statement: all reads go through here.
func (db *DB) read(ctx context.Context, name string, run func(q *gorm.DB) error) error {
	return withoutStep(db.engine.Read(ctx, name, run))
}

// withoutStep gives a refusal over a limit as it is: its text is shown to people.
func withoutStep(err error) error {
	if err == nil {
		return nil
	}
	var throttled *ThrottledError // not before: it is on the heap
	if errors.As(err, &throttled) {
		return throttled
	}
	return err
}

// changed runs a conditional write and reports whether it hit exactly one row.
func changed(tx *gorm.DB, sql string, args ...any) (bool, error) {
	res := tx.Exec(sql, args...)
	return res.RowsAffected == 1, res.Error
}

// exists is nil if the row is there and ErrNotFound if it is not.
func exists(tx *gorm.DB, row any, id string) error {
	var n int64
	if err := tx.Model(row).Where("id = ?", id).Limit(1).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// lockRow holds back other transactions from a row until this one ends; the
// lock order is user, session, grant, rest. SQLite has one writer and needs none.
func (db *DB) lockRow(tx *gorm.DB, table lockable, id any, how string) error {
	if !db.engine.HasRowLocks() {
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
