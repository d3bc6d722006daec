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
	// ErrUsePostgresTools: use PostgreSQL's own tools for backup and restore.
	ErrUsePostgresTools = errors.New("PostgreSQL has its own tools for this")
	// ErrNotBackup: the file is damaged, or is not a database of Signet.
	ErrNotBackup = errors.New("not a valid Signet database")
	// ErrInUse: another process has the database open.
	ErrInUse = errors.New("the database is in use")
)

// Backup copies a SQLite database, as it is at one moment, into file and syncs the file to disk.
// file must be empty or must not exist. Others can read and write the database meanwhile. The
// copy keeps the schema version of the database.
//
// ErrUsePostgresTools: the database is PostgreSQL. ErrNotFound: there is no database.
func Backup(ctx context.Context, c Config, file string) error {
	CleanFolder(c)
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
	// This is one read transaction: it sees the last commit and delays no writer.
	_, err = source.ExecContext(ctx, `VACUUM INTO ?`, file)
	if err = errors.Join(err, source.Close()); err == nil {
		err = syncFile(file)
	}
	return callerError("back up", err)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ReadBackup checks a complete SQLite file, to which nobody may write meanwhile, and reads which
// migrations it has. It changes nothing.
//
// ErrNotBackup, with the damage found. ErrProgramOutdated, together with the Schema: this
// program is too old for the file.
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

// checkSound runs SQLite's checks of the whole file.
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
		return errors.New("rows refer to rows that do not exist")
	}
	return broken.Err()
}

// HasDatabase reports whether the folder contains a SQLite database.
func HasDatabase(folder string) bool {
	_, err := os.Lstat(DatabaseFile(folder))
	return err == nil
}

// CheckUnused returns ErrInUse if another process has the database of the folder open.
func CheckUnused(folder string) error {
	return withClosedDatabase(folder, func(string) error { return nil })
}

// ReplaceDatabase moves the closed database from the folder from to the folder to, which must be
// on the same file system. A database that is already in to is renamed to aside; if aside is
// empty, ReplaceDatabase refuses instead. If from is a Workspace in to and the process is killed,
// the next process finds either the old or the new database, and undoes the rest.
//
// ErrInUse: a process has the database in to open; nothing was changed. ErrConflict: a file
// named aside exists, or aside is empty and to has a database.
func ReplaceDatabase(to, from, aside string) error {
	return withClosedDatabase(to, func(path string) error {
		if err := removeWAL(DatabaseFile(from)); err != nil {
			return fmt.Errorf("complete the new database: %w", err)
		}
		if err := giveFileTo(to, DatabaseFile(from)); err != nil {
			return err
		}
		if HasDatabase(to) {
			if aside == "" {
				return fmt.Errorf("replace database: %w", ErrConflict)
			}
			if err := writePrivate(filepath.Join(from, replacesFile), aside); err != nil {
				return fmt.Errorf("replace database: %w", err)
			}
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

// withClosedDatabase calls do while no process has the folder's database open. A process that
// opens it waits: see prepareSQLite.
func withClosedDatabase(folder string, do func(path string) error) error {
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
		err := removeWAL(path)
		if _, damaged := sqliteCode(err); err != nil && !damaged { // a damaged database stays unchanged
			return err
		}
	}
	return do(path)
}

// removeWAL writes the WAL back into the database and deletes it. SQLite does not allow this
// while another connection has the database open: ErrInUse.
func removeWAL(path string) error {
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

// setAside gives a database a second name, which it keeps when another database replaces it. A
// damaged database may leave a WAL behind. It is renamed too, because SQLite must not apply it
// to the other database.
func setAside(path, aside string) error {
	kept := filepath.Join(filepath.Dir(path), aside)
	if _, err := os.Lstat(kept); err == nil {
		return fmt.Errorf("%s: %w", aside, ErrConflict)
	}
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

// giveFileTo prepares a file for its move to another folder: see GiveToFolder.
func giveFileTo(folder, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return giveTo(int(f.Fd()), file, folder)
}
