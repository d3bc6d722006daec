package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/keys"
	"signet/cmd/signet/node"
	"signet/federation/foreign"
	"signet/storage"
)

func (p *program) restoreCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE|- | --database-restored",
		Short: "Restore a backup, or secure a database that you have restored yourself",
		Long: `Restore a backup that signet backup wrote, while no server runs. The command checks the
backup, updates its schema and secures it, and only then puts it in place of the
database. If there is a database already, pass --replace: it is kept under another
name. First install the master key of the backup, as a file or as a setting.

Codes that were used and tokens that were revoked after the backup would be valid again.
So the command ends all earlier sessions, tokens, codes and requests. All users must
sign in again, and new keys sign. Keys that are revoked in the replaced database are
revoked again. Users, passwords, clients and consents are those of the backup.

--database-restored reads no file. It secures the database of the settings, which you
have restored with its own tools, such as pg_restore.`,
		Example: `  signet restore /var/backups/signet-2026-03-01.db
  age -d -i key.txt signet.db.age | signet restore - --replace
  pg_restore --clean --if-exists --dbname "$SIGNET_DATABASE" FILE && signet restore --database-restored`,
	}
	restored := c.Flags().Bool("database-restored", false, "only secure the database of the settings, which you have restored with its own tools")
	replace := c.Flags().Bool("replace", false, "replace an existing database, and keep it under another name")
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "data_dir")
	c.Args = func(c *cobra.Command, args []string) error {
		if *restored {
			return cli.ExactArgs()(c, args)
		}
		return cli.ExactArgs("the backup to read, - for standard input, or --database-restored")(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		var done describedRestore
		if *restored {
			err = p.secureRestored(c.Context(), settings, &done)
		} else {
			err = p.restoreFile(c.Context(), settings, args[0], *replace, &done)
		}
		if err != nil {
			return restoreProblem(settings, err)
		}
		return p.showRestored(settings, done, *asJSON)
	}
	return c
}

// describedRestore is the JSON form of the result of a restore.
type describedRestore struct {
	Database   string    `json:"database"`           // its path, or PostgreSQL
	Replaced   string    `json:"replaced,omitempty"` // path of the replaced database
	Migrations []string  `json:"migrations"`         // the migrations that were applied to the backup
	NotBefore  time.Time `json:"not_before"`         // sessions, tokens and codes from before this time are invalid

	revocationsKnown bool // the keys that were revoked since the backup are known and revoked again
}

func restoreProblem(c config.Config, err error) error {
	switch {
	case errors.Is(err, storage.ErrInUse):
		return exit.New(exit.DatabaseInUse, fmt.Errorf("another process has the database in %s open; nothing was changed", c.DataDir), "")
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("there is already a database in %s; nothing was changed", c.DataDir), "pass --replace to restore the backup and to keep this database under another name")
	case errors.Is(err, storage.ErrNotBackup):
		return exit.New(exit.NotABackup, fmt.Errorf("%w; nothing was changed", err), "")
	}
	return err
}

// restoreFile prepares the backup in a temporary folder and moves it to its place at the end. If a
// step fails, nothing has changed.
func (p *program) restoreFile(ctx context.Context, c config.Config, name string, replace bool, done *describedRestore) (err error) {
	if c.Database.Reveal() != "" {
		return exit.New(
			exit.OwnTools, errors.New("the database is PostgreSQL, which has its own tools for this"),
			`restore it with: pg_restore --clean --if-exists --dbname "$SIGNET_DATABASE" FILE; then run: signet restore --database-restored`,
		)
	}
	backup, err := p.openBackup(name) // first: without a backup, create nothing
	if err != nil {
		return err
	}
	defer backup.Close()
	if err := node.MakeDataDir(c.DataDir); err != nil {
		return err
	}
	workspace, err := storage.NewWorkspace(c.DataDir, "restore") // on the same file system
	if err != nil {
		return fmt.Errorf("write in data_dir: %s", exit.WithoutPath(err))
	}
	defer workspace.Close()
	if err := checkReplaceable(c, replace); err != nil {
		return err
	}
	folder := workspace.Folder
	draft := storage.DatabaseFile(folder)
	if err := copyBackup(ctx, backup, draft); err != nil {
		return err
	}
	schema, err := storage.ReadBackup(ctx, draft)
	if err != nil {
		return err
	}
	done.Migrations = append([]string{}, schema.Pending...)
	revoked, err := revokedKeys(ctx, c)
	done.revocationsKnown = err == nil
	if err := p.secureDatabase(ctx, c, storage.Config{DataDir: folder}, revoked, done); err != nil {
		return err
	}
	done.Database = storage.DatabaseFile(c.DataDir)
	aside := ""
	if replace {
		aside = "signet.db.replaced-" + p.Now().UTC().Format("20060102T150405Z")
	}
	existed := storage.HasDatabase(c.DataDir)
	if err := storage.ReplaceDatabase(c.DataDir, folder, aside); err != nil {
		return err
	}
	if existed {
		done.Replaced = filepath.Join(c.DataDir, aside)
	}
	return nil
}

// checkReplaceable checks early that the restore can replace the database.
func checkReplaceable(c config.Config, replace bool) error {
	if storage.HasDatabase(c.DataDir) && !replace {
		return storage.ErrConflict
	}
	return storage.CheckUnused(c.DataDir)
}

// openBackup opens the file, or returns standard input for "-".
func (p *program) openBackup(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, exit.New(exit.NotFound, fmt.Errorf("read %s: %s", name, exit.WithoutPath(err)), "pass a file that signet backup wrote")
	}
	return file, nil
}

// copyBackup copies a backup to a new file with mode 0600. It stops when ctx ends, even if the
// source gives nothing.
func copyBackup(ctx context.Context, from io.Reader, to string) error {
	draft, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(draft, from)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	return nil
}

// revokedKeys returns the kids of the revoked keys in the database that is to be replaced. It does
// not change that database, and returns an error if the database is missing or has another schema.
func revokedKeys(ctx context.Context, c config.Config) (kids []string, err error) {
	if !storage.HasDatabase(c.DataDir) {
		return nil, errors.New("there is no database")
	}
	db, err := storage.OpenExisting(ctx, node.StorageConfig(c))
	if err != nil {
		return nil, err
	}
	rows, err := db.Keys(ctx)
	for _, k := range rows {
		if k.State == storage.KeyRevoked {
			kids = append(kids, k.ID)
		}
	}
	return kids, errors.Join(err, db.Close())
}

// secureRestored secures the database of the settings in place.
func (p *program) secureRestored(ctx context.Context, c config.Config, done *describedRestore) error {
	done.Database = "PostgreSQL"
	if c.Database.Reveal() == "" {
		done.Database = storage.DatabaseFile(c.DataDir)
	}
	if err := node.FindDatabase(ctx, c); err != nil {
		return err
	}
	schema, err := node.ReadSchema(ctx, c)
	if err != nil {
		return err
	}
	done.Migrations = append([]string{}, schema.Pending...)
	return p.secureDatabase(ctx, c, node.StorageConfig(c), nil, done)
}

// secureDatabase ends all sessions, tokens and codes in a restored database, and makes new keys
// sign.
func (p *program) secureDatabase(ctx context.Context, c config.Config, at storage.Config, revoked []string, done *describedRestore) (err error) {
	db, err := storage.Open(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	clock := node.NewClock(p.Now) // the servers write times of this clock
	if err := clock.Measure(ctx, db); err != nil {
		return fmt.Errorf("measure the database's clock: %w", err)
	}
	now := clock.Now()
	until, err := db.MarkRestored(ctx, storage.By{From: cli.Origin(), At: now})
	if err != nil {
		return err
	}
	done.NotBefore = until.Time()
	rows, err := db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) > 0 { // a server has used the database
		keeper, err := keys.OpenKeeper(ctx, c, db)
		if err != nil {
			return err
		}
		if err := keeper.ReplaceKeysAfterRestore(ctx, revoked, storage.By{From: cli.Origin(), At: now}); err != nil {
			return keys.WithExitCode(err)
		}
	}
	select { // wait until new tokens are later than not_before
	case <-time.After(until.Time().Sub(clock.Now())):
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (p *program) showRestored(c config.Config, done describedRestore, asJSON bool) error {
	p.Say("all earlier sessions, tokens and codes have ended: all users must sign in again, and applications get new tokens")
	p.Say("APIs that verify tokens themselves accept earlier tokens until they expire, at most %s (lifetimes.access)", foreign.FormatDuration(c.Lifetimes.Access))
	p.Say("check for changes since the backup, which are undone, with: signet user list, signet client list, signet keys list;" +
		" a user who was disabled since then is enabled again, and an old password is valid again")
	if !done.revocationsKnown {
		p.Say("a key that was revoked since the backup signs again; revoke it again with: signet keys revoke KID")
	}
	p.Say("then start the server, and check it with: signet health")
	if asJSON {
		return p.WriteJSON(done)
	}
	rows := [][]string{{"database", done.Database}, {"replaced", done.Replaced}, {"not_before", cli.FormatTime(done.NotBefore)}}
	for _, name := range done.Migrations {
		rows = append(rows, []string{"migrated", name})
	}
	return p.WriteTable(cli.DropEmptyRows(rows))
}
