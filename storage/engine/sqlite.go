package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// DatabaseFile returns the path of the SQLite database in a data folder.
func DatabaseFile(folder string) string { return filepath.Join(folder, "signet.db") }

// sqliteFile is a SQLite database: one writer, many readers.
type sqliteFile struct {
	*writer
	writers *sql.DB // holds the writer's one connection
	pool    *sql.DB
	read    *gorm.DB
}

func openSQLite(_ context.Context, c Config) (*sqliteFile, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	CleanFolder(c)
	path := DatabaseFile(c.DataDir)
	lock, err := openFileLock(path + "-lock")
	if err != nil {
		return nil, err
	}
	writers, err := sql.Open(sqliteDriver, sqliteURI(path))
	if err != nil {
		_ = lock.close()
		return nil, err
	}
	opens := func(more ...pragma) connect {
		return func(ctx context.Context) (*sql.Conn, *gorm.DB, error) {
			return openWriterConn(ctx, writers, c.Log, append(more, writerPragmas...))
		}
	}
	if err := prepareSQLite(path, lock, opens(), c.Migrations); err != nil {
		_ = writers.Close()
		_ = lock.close()
		return nil, err
	}
	f := &sqliteFile{writers: writers}
	if f.pool, f.read, err = openReaders(path, c.Log); err != nil {
		_ = writers.Close()
		_ = lock.close()
		return nil, err
	}
	f.writer = startWriter(lock, opens(undoInMemory))
	return f, nil
}

// prepareSQLite creates the file, switches it to WAL and migrates it, under the lock. Without
// the lock, two processes that open a new file together would get "database is locked".
func prepareSQLite(path string, lock *fileLock, open connect, m Migrations) error {
	if err := lock.acquire(); err != nil {
		return err
	}
	defer func() { _ = lock.release() }()
	if err := checkOrphanedWAL(path); err != nil {
		return err
	}
	if err := makePrivateFile(path); err != nil {
		return err
	}
	w := &writer{open: open}
	defer w.closeConn()
	j := &job{run: func(tx *gorm.DB) error { return m.run(tx) }}
	w.runAlone(j)
	if j.panicked != nil {
		panic(j.panicked)
	}
	return callerError("migrate", j.err)
}

// makePrivateFile creates the database file, readable by its owner only, or closes an existing one
// to others. SQLite gives its journal files the same mode.
func makePrivateFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create the database file: %w", err)
	}
	if err := errors.Join(GiveToFolder(f, path), f.Close()); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := closeToOthers(path + suffix); err != nil {
			return fmt.Errorf("open the database: %w", err)
		}
	}
	return nil
}

func sqliteURI(path string) string { return sqliteURIWith(path, url.Values{}) }

func readOnlyURI(path string) string { return sqliteURIWith(path, url.Values{"_query_only": {"1"}}) }

func sqliteURIWith(path string, query url.Values) string {
	maps.Copy(query, url.Values{"_busy_timeout": {"5000"}, "_stmt_cache_size": {"128"}, "_foreign_keys": {"1"}})
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

// writerPragmas make a commit survive a power failure. journal_mode is stored in the file; the
// others belong to the connection. The WAL holds 8 MB of pages, not SQLite's 4, before they are
// written back, so that a page that changes often is written back once. A larger WAL would delay
// the start after a crash, which reads all of it. A WAL that grew during a long read is
// truncated again.
var writerPragmas = []pragma{
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"foreign_keys", "ON", "1"},
	{"busy_timeout", "5000", "5000"},
	{"wal_autocheckpoint", "2048", "2048"},
	{"journal_size_limit", "16777216", "16777216"},
}

type pragma struct{ name, set, want string }

// undoInMemory keeps in memory what undoes the savepoint of a use case. By default, SQLite moves it to a
// new temporary file when it has 64 KB, or 16 pages, which a batch of two sign-ins exceeds. Migrations use
// files, because they may sort a whole table.
var undoInMemory = pragma{"temp_store", "MEMORY", "2"}

func openWriterConn(ctx context.Context, pool *sql.DB, log *slog.Logger, pragmas []pragma) (*sql.Conn, *gorm.DB, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pragmas {
		if err := setPragma(ctx, conn, p.name, p.set, p.want); err != nil {
			_ = conn.Close()
			return nil, nil, err
		}
	}
	tx, err := gorm.Open(newSQLiteDialector(conn), gormConfig(log))
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, tx, nil
}

// setPragma sets a pragma and reads it back, because SQLite reports no error if it refuses.
func setPragma(ctx context.Context, conn *sql.Conn, name, set, want string) error {
	if _, err := conn.ExecContext(ctx, "PRAGMA "+name+" = "+set); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	var got string
	if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if got != want {
		return fmt.Errorf("set %s: it is still %s, not %s", name, got, want)
	}
	return nil
}

func openReaders(path string, log *slog.Logger) (*sql.DB, *gorm.DB, error) {
	pool, err := sql.Open(sqliteDriver, readOnlyURI(path))
	if err != nil {
		return nil, nil, err
	}
	size := max(4, 2*runtime.GOMAXPROCS(0))
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	read, err := gorm.Open(newSQLiteDialector(pool), gormConfig(log))
	if err != nil {
		_ = pool.Close()
		return nil, nil, callerError("open readers", err)
	}
	return pool, read, nil
}

// sqliteDialector is gorm's, with sqliteParameter for each parameter.
type sqliteDialector struct{ *sqlite.Dialector }

func newSQLiteDialector(pool gorm.ConnPool) sqliteDialector {
	return sqliteDialector{&sqlite.Dialector{DriverName: sqliteDriver, Conn: pool}}
}

// BindVarTo implements gorm.Dialector.
func (sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) {
	_, _ = w.WriteString(sqliteParameter)
}

// sqliteParameter is how statements write a parameter for SQLite. If a bare parameter is compared with a
// column, SQLite may choose the plan by its value, for example if the table has a partial index. SQLite
// then compiles the statement again at each execution, which takes many times as long as the execution.
// The unary plus does not change the value; SQLite does not look behind it when it chooses the plan.
const sqliteParameter = "+?"

// reader returns the pool of readers. It ignores the caller's context: a read takes microseconds
// and waits for nothing, and watching a context would double its cost.
func (f *sqliteFile) reader(context.Context) *gorm.DB { return f.read }

func (f *sqliteFile) retriesUnprepared(error) bool { return false }

func (f *sqliteFile) close() error {
	err := f.writer.close()
	if e := f.pool.Close(); err == nil {
		err = e
	}
	if e := f.writers.Close(); err == nil {
		err = e
	}
	return err
}
