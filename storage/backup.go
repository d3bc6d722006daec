package storage

import (
	"context"
	"os"

	"signet/storage/engine"
)

// PureGo reports whether this program uses the SQLite written in Go, which needs no C compiler
// and is slower.
const PureGo = engine.PureGo

// SQLiteModule is the Go module that contains SQLite.
const SQLiteModule = engine.SQLiteModule

// SQLiteVersion returns the version of SQLite itself, like 3.54.1.
func SQLiteVersion() string { return engine.SQLiteVersion() }

// Errors about a database as a whole. Compare with errors.Is.
var (
	// ErrProgramOutdated: the database needs a newer release of this program.
	ErrProgramOutdated = engine.ErrProgramOutdated
	// ErrUsePostgresTools: use PostgreSQL's own tools for backup and restore.
	ErrUsePostgresTools = engine.ErrUsePostgresTools
	// ErrNotBackup: the file is damaged, or is not a database of Signet.
	ErrNotBackup = engine.ErrNotBackup
	// ErrInUse: another process has the database open.
	ErrInUse = engine.ErrInUse
	// ErrNoDatabase: there is no database, or Signet has not created its tables in it.
	ErrNoDatabase = engine.ErrNoDatabase
	// ErrLoginRefused: PostgreSQL refuses the user or the password.
	ErrLoginRefused = engine.ErrLoginRefused
	// ErrDatabaseOutdated: the database lacks migrations of this program.
	ErrDatabaseOutdated = engine.ErrDatabaseOutdated
	// ErrOrphanedWAL: the folder holds SQLite's write-ahead log, but the database file is
	// missing.
	ErrOrphanedWAL = engine.ErrOrphanedWAL
)

// Schema describes which migrations a database has.
type Schema = engine.Schema

// ReadSchema reads which migrations a database has, and changes nothing. If there is no
// database, it reports that all migrations are pending.
//
// ErrProgramOutdated, together with the Schema: Open would refuse the database.
func ReadSchema(ctx context.Context, c Config) (Schema, error) {
	return engine.ReadSchema(ctx, c.engineConfig())
}

// Backup copies a SQLite database, as it is at one moment, into file and syncs the file to disk.
// file must be empty or must not exist. Others can read and write the database meanwhile. The
// copy keeps the schema version of the database.
//
// ErrUsePostgresTools: the database is PostgreSQL. ErrNotFound: there is no database.
func Backup(ctx context.Context, c Config, file string) error {
	return engine.Backup(ctx, c.engineConfig(), file)
}

// ReadBackup checks a complete SQLite file, to which nobody may write meanwhile, and reads which
// migrations it has. It changes nothing.
//
// ErrNotBackup, with the damage found. ErrProgramOutdated, together with the Schema: this
// program is too old for the file.
func ReadBackup(ctx context.Context, file string) (Schema, error) {
	return engine.ReadBackup(ctx, file, migrations)
}

// DatabaseFile returns the path of the SQLite database in a data folder.
func DatabaseFile(folder string) string { return engine.DatabaseFile(folder) }

// GiveToFolder gives a file that root has created to the owner of its folder; for any other user
// it does nothing. Every file in a data folder passes here or through its counterpart in engine,
// so that the server can open the files that a command of root has created.
func GiveToFolder(f *os.File, path string) error { return engine.GiveToFolder(f, path) }

// OpenToOthers is the error about a file or folder that users other than this one have access to.
// Its method Next returns the command that closes it.
type OpenToOthers = engine.OpenToOthers

// CheckPrivate checks that only this user, and the groups of this process, have access to a file
// or folder. It is the one rule for every file that holds a secret; see engine.CheckPrivate.
//
// *OpenToOthers, or the error of os.Stat.
func CheckPrivate(path string) error { return engine.CheckPrivate(path) }

// CheckURL reports the first mistake in the URL of a PostgreSQL database. The text of the error
// continues a sentence that begins with the name of the setting. It contains neither the user
// name nor the password.
func CheckURL(database string) error { return engine.CheckURL(database) }

// CheckPassfile checks a file of PostgreSQL passwords that the settings name: it must be readable.
// The text of the error continues a sentence that begins with the name of the setting.
func CheckPassfile(name string) error { return engine.CheckPassfile(name) }

// HasPassword reports whether the URL of a PostgreSQL database contains a password.
func HasPassword(database string) bool { return engine.HasPassword(database) }

// URLParameter returns a parameter of the URL of a PostgreSQL database, or "".
func URLParameter(database, name string) string { return engine.URLParameter(database, name) }

// URLHosts returns the hosts of a database URL, each once, without the folders of unix sockets. It
// returns none if the URL has a mistake, or for SQLite.
func URLHosts(database string) []string { return engine.URLHosts(database) }

// DescribeURL describes the PostgreSQL database of a URL for people: its name, host and user.
// The description contains no secret.
func DescribeURL(database string) string { return engine.DescribeURL(database) }

// HasDatabase reports whether the folder contains a SQLite database.
func HasDatabase(folder string) bool { return engine.HasDatabase(folder) }

// CheckUnused returns ErrInUse if another process has the database of the folder open.
func CheckUnused(folder string) error { return engine.CheckUnused(folder) }

// ReplaceDatabase moves the closed database from the folder from to the folder to, which must be
// on the same file system. A database that is already in to is renamed to aside; if aside is
// empty, ReplaceDatabase refuses instead. If from is a Workspace in to and the process is killed,
// the next process finds either the old or the new database, and undoes the rest.
//
// ErrInUse: a process has the database in to open; nothing was changed. ErrConflict: a file
// named aside exists, or aside is empty and to has a database.
func ReplaceDatabase(to, from, aside string) error { return engine.ReplaceDatabase(to, from, aside) }

// Workspace is a folder inside a data folder for a database that is not complete yet. If the
// process is killed, the next process that opens the database removes the folder.
type Workspace = engine.Workspace

// NewWorkspace creates a workspace with mode 0700. purpose is restore or backup. It first removes
// the workspaces of killed processes.
func NewWorkspace(dataDir, purpose string) (*Workspace, error) {
	return engine.NewWorkspace(dataDir, purpose)
}

// CleanFolder removes what killed processes left in the data folder, and undoes a replacement of
// the database that they did not finish. Open, OpenExisting and Backup call it.
func CleanFolder(c Config) { engine.CleanFolder(c.engineConfig()) }
