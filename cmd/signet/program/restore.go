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
	"signet/storage"
)

func (p *program) restoreCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore FILE|- | --database-restored",
		Short: "Take a backup into use, or a database that you have restored yourself",
		Long: `Take a backup that signet backup made into use, while no server runs. It is checked,
brought up to date and made safe beside the data directory's own database, which it
replaces last; --replace says that there may be one, and keeps it under another name.
The master key is the one of the backup: put its file or setting in place first.

What was spent, ended or revoked since the backup would be good again. So all that was
before ends: every session, token, code and request. Everybody signs in again, other
keys sign, and keys that the replaced database knows as revoked are revoked again.
Users, passwords, clients and consents are those of the backup.

With --database-restored no file is read: the database of the settings is taken as one
that you have brought back by its own tools, such as pg_restore, and only made safe.`,
		Example: `  signet restore /var/backups/signet-2026-03-01.db
  age -d -i key.txt signet.db.age | signet restore - --replace
  pg_restore --clean --if-exists --dbname "$SIGNET_DATABASE" FILE && signet restore --database-restored`,
	}
	restored := c.Flags().Bool("database-restored", false, "the database itself was restored by its own tools: only make it safe")
	replace := c.Flags().Bool("replace", false, "there may be a database already, which is kept under another name")
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
			err = p.restoredElsewhere(c.Context(), settings, &done)
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

// describedRestore is what a restore did.
type describedRestore struct {
	Database   string    `json:"database"`           // where it is now
	Replaced   string    `json:"replaced,omitempty"` // where the one before is kept
	Migrations []string  `json:"migrations"`         // that the backup had not seen
	NotBefore  time.Time `json:"not_before"`         // nothing from before is good

	revocationsKnown bool // of keys, since the backup: they were carried over
}

func restoreProblem(c config.Config, err error) error {
	switch {
	case errors.Is(err, storage.ErrInUse):
		return exit.New(exit.DatabaseInUse, fmt.Errorf("a process has the database in %s open; nothing was changed", c.DataDir), "")
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("there is a database in %s already; nothing was changed", c.DataDir), "to keep it under another name and take the backup: --replace")
	case errors.Is(err, storage.ErrNotBackup):
		return exit.New(exit.NotABackup, fmt.Errorf("%w; nothing was changed", err), "")
	}
	return err
}

// restoreFile prepares the backup in a folder of its own, as a database that nobody
// uses yet, and moves it to its place last: what fails leaves all as it was.
func (p *program) restoreFile(ctx context.Context, c config.Config, name string, replace bool, done *describedRestore) (err error) {
	if c.Database.Reveal() != "" {
		return exit.New(
			exit.OwnTools, errors.New("this database is PostgreSQL, which has tools of its own for this"),
			`restore it with: pg_restore --clean --if-exists --dbname "$SIGNET_DATABASE" FILE; then run: signet restore --database-restored`,
		)
	}
	backup, err := p.openBackup(name) // first: without one nothing is made
	if err != nil {
		return err
	}
	defer backup.Close()
	if err := p.readyToRestore(c, replace); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(c.DataDir, "restore-*") // 0700, and of the same file system
	if err != nil {
		return fmt.Errorf("write in data_dir: %s", exit.WithoutPath(err))
	}
	defer os.RemoveAll(folder)
	draft := storage.DatabaseFile(folder)
	if err := copyBackup(backup, draft); err != nil {
		return err
	}
	schema, err := storage.ReadBackup(ctx, draft)
	if err != nil {
		return err
	}
	done.Migrations = append([]string{}, schema.Pending...)
	revoked, err := revokedIn(ctx, c)
	done.revocationsKnown = err == nil
	if err := p.makeSafe(ctx, c, storage.Config{DataDir: folder}, revoked, done); err != nil {
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

// readyToRestore refuses early what would be refused in the end.
func (p *program) readyToRestore(c config.Config, replace bool) error {
	if err := node.MakeDataDir(c.DataDir); err != nil {
		return err
	}
	if storage.HasDatabase(c.DataDir) && !replace {
		return storage.ErrConflict
	}
	return storage.CheckUnused(c.DataDir)
}

// openBackup opens the file, or standard input.
func (p *program) openBackup(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.Stdin), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, exit.New(exit.NotFound, fmt.Errorf("read %s: %s", name, exit.WithoutPath(err)), "name a file that signet backup wrote")
	}
	return file, nil
}

// copyBackup copies a backup to a new file of mode 0600.
func copyBackup(from io.Reader, to string) error {
	draft, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(draft, from)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	return nil
}

// revokedIn lists the keys that the database to be replaced knows as revoked. It is
// kept as it is: one of another schema is not opened.
func revokedIn(ctx context.Context, c config.Config) (kids []string, err error) {
	if !storage.HasDatabase(c.DataDir) {
		return nil, errors.New("there is none")
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

// restoredElsewhere makes the database of the settings safe where it is.
func (p *program) restoredElsewhere(ctx context.Context, c config.Config, done *describedRestore) error {
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
	return p.makeSafe(ctx, c, node.StorageConfig(c), nil, done)
}

// makeSafe ends all that a database from a backup takes for alive, and lets other
// keys sign.
func (p *program) makeSafe(ctx context.Context, c config.Config, at storage.Config, revoked []string, done *describedRestore) (err error) {
	db, err := storage.Open(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	clock := node.NewClock(p.Now) // what is compared with it is dated by servers
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
	if len(rows) > 0 { // a server has run on it
		keeper, err := keys.OpenKeeper(ctx, c, db)
		if err != nil {
			return err
		}
		if err := keeper.Restored(ctx, revoked, storage.By{From: cli.Origin(), At: now}); err != nil {
			return keys.WithExitCode(err)
		}
	}
	select { // what is issued from now on is not from before
	case <-time.After(until.Time().Sub(clock.Now())):
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (p *program) showRestored(c config.Config, done describedRestore, asJSON bool) error {
	p.Say("all sessions, tokens and codes from before have ended: everybody signs in again, and applications get new tokens")
	p.Say("APIs that check tokens by themselves take those from before until they expire, at most %s (lifetimes.access)", config.FormatDuration(c.Lifetimes.Access))
	p.Say("look for what was changed since the backup and is undone: signet user list, signet client list, signet keys list;" +
		" a user disabled since then is enabled again, and an old password is good again")
	if !done.revocationsKnown {
		p.Say("a key that was revoked since the backup signs again: revoke it once more with signet keys revoke KID")
	}
	p.Say("then start the server, and ask it: signet health")
	if asJSON {
		return p.WriteJSON(done)
	}
	rows := [][]string{{"database", done.Database}, {"replaced", done.Replaced}, {"not_before", cli.FormatTime(done.NotBefore)}}
	for _, name := range done.Migrations {
		rows = append(rows, []string{"migrated", name})
	}
	return p.WriteTable(cli.DropEmptyRows(rows))
}
