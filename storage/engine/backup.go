package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

var (
	// ErrUsePostgresTools: PostgreSQL is backed up and restored by tools of its own.
	ErrUsePostgresTools = errors.New("PostgreSQL has tools of its own for this")
	// ErrNotBackup: the file is damaged, or no database of Signet.
	ErrNotBackup = errors.New("this is no sound database of Signet")
	// ErrInUse: another process has the database open.
	ErrInUse = errors.New("the database is in use")
)

// Backup writes a SQLite database as it is at one moment into a file that is empty or
// not there yet, and makes it durable. Others go on reading and writing meanwhile. The
// schema stays what it is. ErrUsePostgresTools on PostgreSQL; ErrNotFound: there is none.
func Backup(ctx context.Context, c Config, file string) error {
	switch {
	case c.Database != "":
		return fmt.Errorf("back up: %w", ErrUsePostgresTools)
	case !HasDatabase(c.DataDir):
		return fmt.Errorf("back up: %w", ErrNotFound)
	}
	source, err := sql.Open(sqliteDriver, sqliteURI(DatabaseFile(c.DataDir)))
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	// One transaction that reads: it sees the last commit and holds up none.
	_, err = source.ExecContext(ctx, `VACUUM INTO ?`, file)
	if err = errors.Join(err, source.Close()); err == nil {
		err = syncFile(file)
	}
	return answer("back up", err)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ReadBackup looks at a whole SQLite file that nobody writes to, and changes nothing.
// ErrNotBackup, with what is wrong; ErrProgramOutdated, beside the Schema, for one that this
// program is too old for.
func ReadBackup(ctx context.Context, file string, m Migrations) (Schema, error) {
	if _, err := os.Stat(file); err != nil {
		return Schema{}, fmt.Errorf("read backup: %w", err)
	}
	query := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	db, err := sql.Open(sqliteDriver, (&url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: query.Encode()}).String())
	if err != nil {
		return Schema{}, fmt.Errorf("read backup: %w", err)
	}
	defer db.Close()
	if err := checkSound(ctx, db); err != nil {
		return Schema{}, fmt.Errorf("read backup: %w: %w", ErrNotBackup, err)
	}
	newest, oldest, err := schemaNumbers(ctx, db, false)
	if err != nil || newest == 0 {
		return Schema{}, fmt.Errorf("read backup: %w", errors.Join(ErrNotBackup, err))
	}
	return m.schemaAt(newest, oldest)
}

// checkSound has SQLite go through the whole file.
func checkSound(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	broken, err := db.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return err
	}
	defer broken.Close()
	if broken.Next() {
		return errors.New("rows point at others that are not there")
	}
	return broken.Err()
}

// HasDatabase reports whether there is a SQLite database in the folder.
func HasDatabase(folder string) bool {
	_, err := os.Lstat(DatabaseFile(folder))
	return err == nil
}

// CheckUnused is ErrInUse while another process has the folder's database open.
func CheckUnused(folder string) error {
	return whileClosed(folder, func(string) error { return nil })
}

// ReplaceDatabase moves the closed database of the folder from, on the same file
// system, to the folder to. What was there keeps lying beside it under the name
// aside; "" refuses where something was.
//
// ErrInUse: a process has that open, and nothing was changed; ErrConflict: aside, or
// without it the database, is there already.
func ReplaceDatabase(to, from, aside string) error {
	return whileClosed(to, func(path string) error {
		if err := leaveWAL(DatabaseFile(from)); err != nil {
			return fmt.Errorf("complete the new database: %w", err)
		}
		if HasDatabase(to) {
			if err := setAside(path, aside); err != nil {
				return fmt.Errorf("replace database: %w", err)
			}
		}
		if err := os.Rename(DatabaseFile(from), path); err != nil {
			return fmt.Errorf("replace database: %w", err)
		}
		return syncFile(to)
	})
}

// whileClosed does something to the folder's database that nobody may have open.
// Whoever opens it waits: see prepareSQLite.
func whileClosed(folder string, do func(path string) error) error {
	path := DatabaseFile(folder)
	lock, err := openFileLock(path + "-lock")
	if err != nil {
		return err
	}
	defer func() { _ = lock.close() }()
	if err := lock.acquire(); err != nil {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if HasDatabase(folder) {
		err := leaveWAL(path)
		if _, damaged := sqliteCode(err); err != nil && !damaged { // a damaged one stays as it is
			return err
		}
	}
	return do(path)
}

// leaveWAL has the WAL written back and gone, which SQLite allows nobody while another
// connection has the database open: ErrInUse.
func leaveWAL(path string) error {
	db, err := sql.Open(sqliteDriver, sqliteURI(path))
	if err != nil {
		return err
	}
	defer db.Close()
	var mode string
	err = db.QueryRow(`PRAGMA journal_mode = DELETE`).Scan(&mode)
	code, _ := sqliteCode(err)
	switch {
	case err == nil && mode == "delete":
		return nil
	case err == nil, code&0xff == sqliteBusy, code&0xff == sqliteLocked:
		return ErrInUse
	}
	return err
}

// setAside gives a database a second name, under which it stays when another takes
// its first. A WAL that a damaged one left behind must not be read by the other.
func setAside(path, aside string) error {
	if aside == "" {
		return ErrConflict
	}
	kept := filepath.Join(filepath.Dir(path), aside)
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	err := os.Link(path, kept)
	switch {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s: %w", aside, ErrConflict)
	case err != nil: // a file system without links
		return os.Rename(path, kept)
	}
	return nil
}
