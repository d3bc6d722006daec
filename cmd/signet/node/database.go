package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

// OpenDatabase opens what the settings name, and makes or migrates it first where that is
// needed. Only servers and the commands that are made for it may: any other command that finds no
// database runs in the wrong folder. log, if not nil, gets the statements that fail.
func OpenDatabase(ctx context.Context, c config.Config, log *slog.Logger) (*storage.DB, error) {
	if c.Database.Reveal() == "" {
		if err := MakeDataDir(c.DataDir); err != nil {
			return nil, err
		}
	}
	at := StorageConfig(c)
	at.Log = log
	db, err := storage.Open(ctx, at)
	return db, databaseProblem(c, err)
}

// OpenExisting opens what the settings name. It makes neither file nor folder nor table:
// where there is no database, or one that has yet to be migrated, the error says where it
// looked and which command to run.
func OpenExisting(ctx context.Context, c config.Config) (*storage.DB, error) {
	if c.Database.Reveal() == "" && storage.HasDatabase(c.DataDir) {
		if err := checkDataDir(c.DataDir); err != nil {
			return nil, err
		}
	}
	db, err := storage.OpenExisting(ctx, StorageConfig(c))
	return db, databaseProblem(c, err)
}

// FindDatabase is nil if the settings name a database that is there, of whatever release.
func FindDatabase(ctx context.Context, c config.Config) error {
	schema, err := ReadSchema(ctx, c)
	switch {
	case errors.Is(err, storage.ErrProgramOutdated):
		return nil // it is there
	case err == nil && schema.Newest == 0:
		return noDatabase(c, storage.ErrNoDatabase)
	}
	return err
}

// ReadSchema tells how far the database of the settings has come, and changes nothing. One
// that is not there has seen no migration.
func ReadSchema(ctx context.Context, c config.Config) (storage.Schema, error) {
	schema, err := storage.ReadSchema(ctx, StorageConfig(c))
	return schema, databaseProblem(c, err)
}

// databaseProblem gives what is wrong with a database its exit code and the next step.
func databaseProblem(c config.Config, err error) error {
	var file *fs.PathError
	switch {
	case errors.Is(err, storage.ErrNoDatabase):
		return noDatabase(c, err)
	case errors.Is(err, storage.ErrLoginRefused):
		return exit.New(exit.DatabaseLogin, fmt.Errorf("PostgreSQL refuses the user or the password of the database %s", storage.DescribeURL(c.Database.Reveal())),
			"correct both in the setting database; special characters are written as % and two hexadecimal digits there, # as %23")
	case errors.Is(err, storage.ErrDatabaseOutdated):
		return exit.New(exit.DatabaseBehind, err, "make a backup, then run: signet migrate; or start the server of this release, which migrates too")
	case errors.Is(err, storage.ErrOrphanedWAL):
		return exit.New(exit.OrphanedLog, fmt.Errorf("%w (in %s); nothing was changed", err, c.DataDir), "put the database file back, or restore a backup; to begin anew, remove the log yourself")
	case errors.As(err, &file) && c.Database.Reveal() == "":
		return fileProblem(c, file)
	}
	return err
}

// noDatabase says where none was found.
func noDatabase(c config.Config, err error) error {
	if c.Database.Reveal() == "" {
		return exit.New(exit.NoDatabase, fmt.Errorf("there is no database in %s", c.DataDir),
			"name its folder with --data-dir or SIGNET_DATA_DIR, or its settings with --config; to make a new one there: signet migrate, or signet serve")
	}
	name := storage.DescribeURL(c.Database.Reveal())
	if errors.Is(err, storage.ErrUnavailable) { // the server knows none of that name
		return exit.New(exit.NoDatabase, fmt.Errorf("there is no PostgreSQL database %s", name), "correct the setting database, or make it with createdb")
	}
	return exit.New(exit.NoDatabase, fmt.Errorf("the PostgreSQL database %s holds nothing of Signet", name),
		"correct the setting database; to make the tables there: signet migrate, or signet serve")
}

// fileProblem says which file may not be used, and whose it is.
func fileProblem(c config.Config, file *fs.PathError) error {
	cause := fmt.Errorf("open the database in %s: %s: %w", c.DataDir, file.Path, file.Err)
	switch {
	case errors.Is(file, syscall.ENOTDIR):
		return exit.New(exit.Config, fmt.Errorf("data_dir %s lies below a file, or is one", c.DataDir), "set data_dir to a folder")
	case errors.Is(file, syscall.EROFS):
		return exit.New(exit.Unreachable, cause, "a database needs a file system that can be written to: mount it so, or copy the folder to one")
	case errors.Is(file, fs.ErrPermission):
		return exit.New(exit.Config, cause, "run it as the user who owns the data"+ownerOf(c.DataDir))
	}
	return exit.New(exit.Config, cause, "set data_dir to the folder of a database")
}

// ownerOf names the owner of the nearest folder above path that can be looked at.
func ownerOf(path string) string {
	for ; ; path = filepath.Dir(path) {
		state, err := os.Stat(path)
		if err != nil && path != filepath.Dir(path) {
			continue
		}
		if err != nil {
			return ""
		}
		owner, ok := state.Sys().(*syscall.Stat_t)
		if !ok {
			return ""
		}
		uid := strconv.FormatUint(uint64(owner.Uid), 10)
		if u, err := user.LookupId(uid); err == nil {
			return fmt.Sprintf(": %s belongs to %s", path, u.Username)
		}
		return fmt.Sprintf(": %s belongs to the user with the id %s", path, uid)
	}
}

// StorageConfig tells where the settings keep the data.
func StorageConfig(c config.Config) storage.Config {
	return storage.Config{DataDir: c.DataDir, Database: c.Database.Reveal()}
}

// Directory gives the rules of clients and users on that database.
func Directory(c config.Config, db *storage.DB, now func() time.Time) *directory.Directory {
	return directory.New(directory.Deps{
		DB: db, Algorithms: c.Algorithms, Now: now,
		Passwords: credential.New(credential.Config{DB: db, Params: c.Passwords, MinLength: c.PasswordLength, Issuer: c.Issuer, Now: now}),
	})
}
