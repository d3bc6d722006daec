package storage

import (
	"context"

	"signet/storage/engine"
)

// PureGo reports that SQLite runs without a C compiler's help, and slower.
const PureGo = engine.PureGo

// What is said of a database as a whole. Compare with errors.Is.
var (
	// ErrProgramOutdated: the database needs a newer program.
	ErrProgramOutdated = engine.ErrProgramOutdated
	// ErrUsePostgresTools: PostgreSQL is backed up and restored by tools of its own.
	ErrUsePostgresTools = engine.ErrUsePostgresTools
	// ErrNotBackup: the file is damaged, or no database of Signet.
	ErrNotBackup = engine.ErrNotBackup
	// ErrInUse: another process has the database open.
	ErrInUse = engine.ErrInUse
	// ErrNoDatabase: there is no database, or nothing of ours has been made in it yet.
	ErrNoDatabase = engine.ErrNoDatabase
	// ErrLoginRefused: PostgreSQL refuses the user or the password.
	ErrLoginRefused = engine.ErrLoginRefused
	// ErrDatabaseOutdated: the database has yet to see migrations of this program.
	ErrDatabaseOutdated = engine.ErrDatabaseOutdated
	// ErrOrphanedWAL: the folder holds SQLite's log of a database that is not there.
	ErrOrphanedWAL = engine.ErrOrphanedWAL
)

// Schema tells how far a database has come.
type Schema = engine.Schema

// ReadSchema looks at a database and changes nothing: what is not there yet has
// seen no migration. ErrProgramOutdated, beside the Schema, where Open would refuse.
func ReadSchema(ctx context.Context, c Config) (Schema, error) {
	return engine.ReadSchema(ctx, c.engineConfig())
}

// Backup writes a SQLite database as it is at one moment into a file that is empty or
// not there yet, and makes it durable. Others go on reading and writing meanwhile. The
// schema stays what it is. ErrUsePostgresTools on PostgreSQL; ErrNotFound: there is none.
func Backup(ctx context.Context, c Config, file string) error {
	return engine.Backup(ctx, c.engineConfig(), file)
}

// ReadBackup looks at a whole SQLite file that nobody writes to, and changes nothing.
// ErrNotBackup, with what is wrong; ErrProgramOutdated, beside the Schema, for one that this
// program is too old for.
func ReadBackup(ctx context.Context, file string) (Schema, error) {
	return engine.ReadBackup(ctx, file, migrations)
}

// DatabaseFile is where the SQLite database of a data folder is.
func DatabaseFile(folder string) string { return engine.DatabaseFile(folder) }

// CheckURL says what is wrong with the URL of a PostgreSQL database, in words that follow
// the name of the setting. It repeats neither the user name nor the password.
func CheckURL(database string) error { return engine.CheckURL(database) }

// DescribeURL names the PostgreSQL database of a URL for people: its name, host and user, and
// nothing secret.
func DescribeURL(database string) string { return engine.DescribeURL(database) }

// HasDatabase reports whether there is a SQLite database in the folder.
func HasDatabase(folder string) bool { return engine.HasDatabase(folder) }

// CheckUnused is ErrInUse while another process has the folder's database open.
func CheckUnused(folder string) error { return engine.CheckUnused(folder) }

// ReplaceDatabase moves the closed database of the folder from, on the same file
// system, to the folder to. What was there keeps lying beside it under the name
// aside; "" refuses where something was.
//
// ErrInUse: a process has that open, and nothing was changed; ErrConflict: aside, or
// without it the database, is there already.
func ReplaceDatabase(to, from, aside string) error { return engine.ReplaceDatabase(to, from, aside) }
