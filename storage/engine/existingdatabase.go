package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

var (
	// ErrNoDatabase: there is no database at the place in the Config, or Signet has not created
	// its tables in it.
	ErrNoDatabase = errors.New("there is no database")
	// ErrLoginRefused: PostgreSQL refuses the user or the password.
	ErrLoginRefused = errors.New("PostgreSQL rejects the user name or the password")
	// ErrDatabaseOutdated: the database lacks migrations of this program.
	ErrDatabaseOutdated = errors.New("the database has the schema of an older release")
	// ErrOrphanedWAL: the folder contains SQLite's write-ahead log, but the database file is
	// missing. Creating a new database would delete the log, and with it the last commits.
	ErrOrphanedWAL = errors.New("the database file is missing, but its write-ahead log exists")
)

// OpenExisting opens a database that exists and has all migrations. It creates nothing and runs
// no migration.
//
// ErrNoDatabase, ErrDatabaseOutdated, ErrProgramOutdated, ErrUnavailable; *fs.PathError: this
// process may not use the files of a SQLite database.
func OpenExisting(ctx context.Context, c Config) (*Engine, error) {
	CleanFolder(c) // first: it may put the database back in its place
	schema, err := ReadSchema(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case schema.Newest == 0:
		return nil, fmt.Errorf("open database: %w", ErrNoDatabase)
	case len(schema.Pending) > 0:
		return nil, fmt.Errorf("open database: %w: %d migrations are missing, the first is %s", ErrDatabaseOutdated, len(schema.Pending), schema.Pending[0])
	}
	return Open(ctx, c)
}

// findDatabase reports whether the folder contains a SQLite database that is not empty. The
// error is an *fs.PathError if this process may not use the file. findDatabase does not open the
// file, because closing it would release the locks that this process holds on it.
func findDatabase(folder string) (bool, error) {
	path := DatabaseFile(folder)
	state, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !state.Mode().IsRegular():
		return false, &fs.PathError{Op: "open", Path: path, Err: errors.New("is not a file")}
	case state.Size() == 0:
		return false, nil
	}
	for name, mode := range map[string]uint32{path: unix.R_OK | unix.W_OK, folder: unix.R_OK | unix.W_OK | unix.X_OK} {
		if err := unix.Access(name, mode); err != nil {
			return false, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return true, nil
}

// checkOrphanedWAL returns ErrOrphanedWAL if there is a log without its database.
func checkOrphanedWAL(path string) error {
	if database, err := os.Stat(path); err == nil && database.Size() > 0 {
		return nil
	}
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrOrphanedWAL, filepath.Base(path+"-wal"))
}

// poolerRefusals are the messages of PgBouncer for a wrong user or password. It has the code of a
// protocol violation for them, as for other reasons to close a connection.
var poolerRefusals = []string{"SASL authentication failed", "password authentication failed", "no such user"}

// isRefusedLogin reports whether PostgreSQL refused the user or the password.
func isRefusedLogin(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || len(refused.Code) != 5 {
		return false
	}
	return refused.Code[:2] == "28" || // invalid authorization
		refused.Code == "08P01" && slices.ContainsFunc(poolerRefusals, func(text string) bool { return strings.Contains(refused.Message, text) })
}

// isMissingDatabase reports whether PostgreSQL has no database of that name.
func isMissingDatabase(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "3D000" // invalid_catalog_name
}
