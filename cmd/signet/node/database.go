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
	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/provider/link"
	"signet/provider/outbound"
	"signet/provider/subject"
	"signet/storage"
)

// OpenDatabase opens the database of the settings. If necessary, it creates or migrates the
// database first. Only servers and the commands for that purpose may call it: if any other
// command finds no database, it runs in the wrong folder. log receives the failed statements,
// if it is not nil.
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

// OpenExisting opens the database of the settings. It creates no file, folder or table. If
// there is no database, or it is not migrated yet, the error names the place and the command
// to run.
func OpenExisting(ctx context.Context, c config.Config) (*storage.DB, error) {
	if c.Database.Reveal() == "" && storage.HasDatabase(c.DataDir) {
		if err := checkDataDir(c.DataDir); err != nil {
			return nil, err
		}
	}
	db, err := storage.OpenExisting(ctx, StorageConfig(c))
	return db, databaseProblem(c, err)
}

// FindDatabase returns nil if the database of the settings exists, of any release.
func FindDatabase(ctx context.Context, c config.Config) error {
	schema, err := ReadSchema(ctx, c)
	switch {
	case errors.Is(err, storage.ErrProgramOutdated):
		return nil // it exists
	case err == nil && schema.Newest == 0:
		return noDatabase(c, storage.ErrNoDatabase)
	}
	return err
}

// ReadSchema reads which migrations the database of the settings has, and changes nothing. A
// missing database has none.
func ReadSchema(ctx context.Context, c config.Config) (storage.Schema, error) {
	schema, err := storage.ReadSchema(ctx, StorageConfig(c))
	return schema, databaseProblem(c, err)
}

// databaseProblem gives the error of a database its exit code and next step.
func databaseProblem(c config.Config, err error) error {
	var file *fs.PathError
	switch {
	case errors.Is(err, storage.ErrNoDatabase):
		return noDatabase(c, err)
	case errors.Is(err, storage.ErrLoginRefused):
		return exit.New(exit.DatabaseLogin, fmt.Errorf("PostgreSQL refuses the user or the password of the database %s; the password comes from %s", storage.DescribeURL(c.Database.Reveal()), c.PasswordPlace),
			"correct the user in the setting database, and the password there or in database_password; special characters are written as % and two hexadecimal digits in a URL, # as %23;"+
				" without a password in both, it comes from PGPASSWORD, or from the file that passfile or PGPASSFILE names (default ~/.pgpass)")
	case errors.Is(err, storage.ErrDatabaseOutdated):
		return exit.New(exit.DatabaseBehind, err, "make a backup, then run: signet migrate; or start the server of this release, which migrates too")
	case errors.Is(err, storage.ErrOrphanedWAL):
		return exit.New(exit.OrphanedLog, fmt.Errorf("%w (in %s); nothing was changed", err, c.DataDir), "put the database file back, or restore a backup; to start with an empty database, remove the log yourself")
	case errors.As(err, &file) && c.Database.Reveal() == "":
		return fileProblem(c, file)
	}
	return err
}

// noDatabase is the error for a missing database. It names the place.
func noDatabase(c config.Config, err error) error {
	if c.Database.Reveal() == "" {
		return exit.New(exit.NoDatabase, fmt.Errorf("there is no database in %s", c.DataDir),
			"name its folder with --data-dir or SIGNET_DATA_DIR, or its settings with --config; to create a database there, run signet migrate or signet serve")
	}
	name := storage.DescribeURL(c.Database.Reveal())
	if errors.Is(err, storage.ErrUnavailable) { // the server has no database of that name
		return exit.New(exit.NoDatabase, fmt.Errorf("there is no PostgreSQL database %s", name), "correct the setting database, or create the database with createdb")
	}
	return exit.New(exit.NoDatabase, fmt.Errorf("the PostgreSQL database %s has no tables of Signet", name),
		"correct the setting database; to create the tables there, run signet migrate or signet serve")
}

// fileProblem is the error for a file that cannot be used. It names the file and its owner.
func fileProblem(c config.Config, file *fs.PathError) error {
	cause := fmt.Errorf("open the database in %s: %s: %w", c.DataDir, file.Path, file.Err)
	switch {
	case errors.Is(file, syscall.ENOTDIR):
		return exit.New(exit.Config, fmt.Errorf("data_dir %s is a file, or is below one", c.DataDir), "set data_dir to a folder")
	case errors.Is(file, syscall.EROFS):
		return exit.New(exit.Unreachable, cause, "a database needs a file system that can be written to: mount it so, or copy the folder to one")
	case errors.Is(file, fs.ErrPermission):
		return exit.New(exit.Config, cause, "run it as the user who owns the data"+ownerOf(c.DataDir))
	}
	return exit.New(exit.Config, cause, "set data_dir to the folder of a database")
}

// ownerOf returns the owner of the nearest readable folder above path.
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

// StorageConfig returns the configuration of the database: its location, whether mails are queued, and which
// events are queued for the webhook.
func StorageConfig(c config.Config) storage.Config {
	return storage.Config{DataDir: c.DataDir, Database: c.Database.Reveal(), Password: c.DatabasePassword.Reveal(), PasswordFile: c.DatabasePasswordFile, Mails: c.SendsMails(), Forwarding: c.Webhook.Forwarding()}
}

// Directory returns the rules of clients and users for the database.
func Directory(c config.Config, db *storage.DB, now func() time.Time) *directory.Directory {
	return directory.New(directory.Deps{
		DB: db, Issuer: c.Issuer, Algorithms: c.Algorithms, Outbound: outbound.New(c.Outbound), FrontchannelLogout: c.FrontchannelLogout, Passkeys: c.RPID() != "", Now: now,
		Passwords: credential.New(credential.Config{DB: db, Params: c.Passwords, MinLength: c.PasswordLength, Issuer: c.Issuer, Now: now}),
	})
}

// Links returns the one-time links of the server, for commands that print one. at gives the time
// that all nodes agree on, with which the servers compare the expiry.
func Links(ctx context.Context, c config.Config, db *storage.DB, at func() time.Time) (*link.Links, error) {
	ring, err := openRing(ctx, c, db, at)
	if err != nil {
		return nil, err
	}
	return link.New(link.Config{DB: db, Ring: ring, Issuer: c.Issuer, Now: at}), nil
}

// SubjectOf returns the subject under which the client sees the user. It opens the keys only for
// a pairwise subject.
func SubjectOf(ctx context.Context, c config.Config, db *storage.DB, at func() time.Time, client storage.Client, u storage.User) (string, error) {
	if client.Metadata.SubjectType != storage.SubjectPairwise {
		return u.PublicSubject(), nil
	}
	ring, err := openRing(ctx, c, db, at)
	if err != nil {
		return "", err
	}
	if err := ring.LoadSubjectSecret(ctx); err != nil {
		return "", fmt.Errorf("read the secret of pairwise subjects: %w", err)
	}
	return subject.New(ring).OfUser(client, u)
}

// openRing opens the keys of the server for a command that must not make them.
func openRing(ctx context.Context, c config.Config, db *storage.DB, at func() time.Time) (*keys.Ring, error) {
	rows, err := db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return nil, exit.New(exit.UnknownKey, errors.New("there are no keys yet, which the command needs"), "start the server once, which creates them: signet serve")
	}
	sealed, err := VaultConfig(ctx, c, db)
	if err != nil {
		return nil, err
	}
	opened, err := vault.New(sealed)
	if err != nil {
		return nil, err
	}
	return keys.Open(ctx, keys.Config{DB: db, Vault: opened, Issuer: c.Issuer, Algorithms: c.Algorithms, Now: at})
}
