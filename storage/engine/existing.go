package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

var (
	// ErrNoDatabase: there is no database where the Config says, or nothing of ours has
	// been made in it yet.
	ErrNoDatabase = errors.New("there is no database")
	// ErrLoginRefused: PostgreSQL refuses the user or the password.
	ErrLoginRefused = errors.New("the user or the password is refused")
	// ErrDatabaseOutdated: the database has yet to see migrations of this program.
	ErrDatabaseOutdated = errors.New("the database is of an older release")
	// ErrOrphanedWAL: the folder holds SQLite's log of a database that is not there. To make
	// a new database would remove the log, and with it the last commits.
	ErrOrphanedWAL = errors.New("the database file is missing, and its log is there")
)

// OpenExisting opens a database that is there and up to date. It makes and migrates
// nothing. ErrNoDatabase, ErrDatabaseOutdated, ErrProgramOutdated, ErrUnavailable; an *fs.PathError where
// the files of a SQLite database may not be used.
func OpenExisting(ctx context.Context, c Config) (*Engine, error) {
	schema, err := ReadSchema(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case schema.Newest == 0:
		return nil, fmt.Errorf("open database: %w", ErrNoDatabase)
	case len(schema.Pending) > 0:
		return nil, fmt.Errorf("open database: %w: it has not seen %d migrations of this one, from %s on", ErrDatabaseOutdated, len(schema.Pending), schema.Pending[0])
	}
	return Open(ctx, c)
}

// findFile reports whether the folder holds a SQLite database that is not empty. The
// error is an *fs.PathError if the file may not be used. It opens nothing: to close a file
// would give up the locks that this process has on it.
func findFile(folder string) (bool, error) {
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
	for name, how := range map[string]uint32{path: unix.R_OK | unix.W_OK, folder: unix.R_OK | unix.W_OK | unix.X_OK} {
		if err := unix.Access(name, how); err != nil {
			return false, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return true, nil
}

// refuseOrphan is ErrOrphanedWAL for a log without its database.
func refuseOrphan(path string) error {
	if database, err := os.Stat(path); err == nil && database.Size() > 0 {
		return nil
	}
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrOrphanedWAL, filepath.Base(path+"-wal"))
}

// isRefusedLogin reports that a server of PostgreSQL refuses the user or the password.
func isRefusedLogin(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && len(refused.Code) == 5 && refused.Code[:2] == "28" // invalid authorization
}

// isMissingDatabase reports that a server of PostgreSQL has no database of that name.
func isMissingDatabase(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "3D000" // invalid_catalog_name
}
