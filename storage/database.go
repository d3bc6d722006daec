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

// Config describes the place of the database.
type Config struct {
	DataDir  string // folder of signet.db, created with mode 0700 if missing; used if Database is empty
	Database string // "" for SQLite in DataDir, or postgres://…
	Password string // of PostgreSQL; "" if it is in the URL, in PGPASSWORD or in a password file
	// PasswordFile is the file that Password was read from, or "". Each new connection reads it again.
	PasswordFile string
	Log          *slog.Logger // nil: nothing is logged
	Faults       Faults       `json:"-"` // for tests only; nil: no call fails on purpose
	// Mails: the instance sends mails, so acts write the mails that tell their user of them.
	Mails bool
	// Forwarding selects the events that are queued for the webhook.
	Forwarding Forwarding
}

// Types for tests that make calls of the database fail: see Config.Faults.
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

// Millis is a moment in Unix milliseconds, UTC. Zero means never.
type Millis = engine.Millis

// MaxClockSkew is the largest difference that is tolerated between the clocks of two nodes, or
// of a node and an API that reads our tokens. A moment further in the future is not trusted.
const MaxClockSkew = time.Minute

// At converts t to the form that is stored.
func At(t time.Time) Millis { return engine.At(t) }

// Migrations are numbered by their order in this folder, and new ones are only appended. A
// released file never changes.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

var migrations = func() engine.Migrations {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the name of the folder is invalid: a mistake in this program
	}
	return engine.Migrations{Files: files, Work: map[int64]func(tx *gorm.DB) error{7: foldUsernames, programWithSecurityKeys: allowSecurityKeys}}
}()

func (c Config) engineConfig() engine.Config {
	return engine.Config{DataDir: c.DataDir, Database: c.Database, Password: c.Password, PasswordFile: c.PasswordFile, Log: c.Log, Faults: c.Faults, Migrations: migrations}
}

// DB holds the use cases. It is safe for concurrent use.
type DB struct {
	engine     *engine.Engine
	mails      bool // see Config.Mails
	forwarding Forwarding
}

// Open opens the database, runs its pending migrations under a lock and checks that this program
// is not too old for the schema.
func Open(ctx context.Context, c Config) (*DB, error) {
	e, err := engine.Open(ctx, c.engineConfig())
	if err != nil {
		return nil, err
	}
	return &DB{e, c.Mails, c.Forwarding}, nil
}

// OpenExisting opens a database that exists and has all migrations. Unlike Open, it creates
// nothing and runs no migration.
//
// ErrNoDatabase, ErrDatabaseOutdated, ErrProgramOutdated, ErrUnavailable; *fs.PathError: this
// process may not use the files of a SQLite database.
func OpenExisting(ctx context.Context, c Config) (*DB, error) {
	e, err := engine.OpenExisting(ctx, c.engineConfig())
	if err != nil {
		return nil, err
	}
	return &DB{e, c.Mails, c.Forwarding}, nil
}

// Close waits for the running writes and closes the database. A second call does nothing.
func (db *DB) Close() error { return db.engine.Close() }

// Ping checks that the database answers. ErrUnavailable.
func (db *DB) Ping(ctx context.Context) error { return db.engine.Ping(ctx) }

// Calls returns how many reads and write transactions were requested through this handle. Tests
// and metrics use it to measure the cost of a request.
func (db *DB) Calls() (reads, writes int64) { return db.engine.Calls() }

// ClockOffset measures how far the clock of the database is ahead of this machine's clock. It is
// zero on SQLite. Callers add it to the wall clock.
func (db *DB) ClockOffset(ctx context.Context) (time.Duration, error) {
	return db.engine.ClockOffset(ctx)
}

// Changes reads the change counter. Each write that makes caches of
// clients, keys or settings stale increments it.
func (db *DB) Changes(ctx context.Context) (int64, error) {
	var changes int64
	err := db.read(ctx, "read change counter", func(q *gorm.DB) error {
		return q.Raw(`SELECT changes FROM instance WHERE id = 1`).Scan(&changes).Error
	})
	return changes, err
}

// incrementChangeCounter increments the change counter in the transaction of the change.
func incrementChangeCounter(tx *gorm.DB) error {
	return tx.Exec(`UPDATE instance SET changes = changes + 1 WHERE id = 1`).Error
}

// write runs one use case in one transaction. All writes use it. name is a bare verb phrase that
// errors begin with.
func (db *DB) write(ctx context.Context, name string, run engine.UseCase) error {
	return unwrapThrottled(db.engine.Write(ctx, name, db.forwarding.around(run)))
}

// read runs one read of one statement. All reads use it.
func (db *DB) read(ctx context.Context, name string, run func(q *gorm.DB) error) error {
	return unwrapThrottled(db.engine.Read(ctx, name, run))
}

// unwrapThrottled returns a *ThrottledError without the wrapping step, because people read its
// text. It returns other errors unchanged.
func unwrapThrottled(err error) error {
	if err == nil {
		return nil
	}
	var throttled *ThrottledError // declared here because it escapes to the heap
	if errors.As(err, &throttled) {
		return throttled
	}
	return err
}

// changeOne runs a conditional write and reports whether it changed exactly one row.
func changeOne(tx *gorm.DB, sql string, args ...any) (bool, error) {
	res := tx.Exec(sql, args...)
	return res.RowsAffected == 1, res.Error
}

// checkExists returns ErrNotFound if there is no row of that ID for which the condition holds:
// isClient or isUser.
func checkExists(tx *gorm.DB, row any, condition, id string) error {
	var n int64
	if err := tx.Model(row).Where("id = ? AND "+condition, id).Limit(1).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// lockRow locks a row against other transactions until this transaction ends. Locks are taken in
// the order user, session, grant, all others. SQLite has one writer and needs no row locks.
func (db *DB) lockRow(tx *gorm.DB, table lockable, id any, how string) error {
	if !db.engine.HasRowLocks() {
		return nil
	}
	return tx.Exec(`SELECT 1 FROM `+string(table)+` WHERE id = ? `+how, id).Error
}

// lockable is a table whose rows are locked by ID.
type lockable string

const (
	instanceRow lockable = "instance"
	userRow     lockable = "users"
	clientRow   lockable = "clients"

	// forShare keeps the row unchanged. Several transactions may hold it.
	forShare = "FOR SHARE"
	// forUpdate is held by one transaction at a time. Other rows may still refer to the row by
	// foreign keys.
	forUpdate = "FOR NO KEY UPDATE"
)
