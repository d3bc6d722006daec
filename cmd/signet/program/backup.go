package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/storage"
)

func (p *program) backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write a backup of the SQLite database, beside a running server",
		Long: `Write a backup of the SQLite database as it is at one moment, beside a running server,
and have SQLite check what was written. The file must not be there yet; - is standard
output. Take it back with signet restore.

The master key is not in it: keep that in another place. Whoever has both can sign
tokens; without it the keys in the backup are lost.

On PostgreSQL: pg_dump --format=custom --file=FILE "$SIGNET_DATABASE"`,
		Example: `  signet backup /var/backups/signet-$(date +%F).db
  signet backup - | age -r age1… > signet.db.age`,
		Args: cli.ExactArgs("the file to write, or - for standard output"),
	}
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		made := describedBackup{File: args[0]}
		if settings.Database.Reveal() == "" {
			if err := node.FindDatabase(c.Context(), settings); err != nil {
				return err
			}
		}
		switch {
		case settings.Database.Reveal() != "":
			err = storage.ErrUsePostgresTools
		case args[0] != "-":
			made.Bytes, err = backupToFile(c.Context(), settings, args[0])
		case *asJSON:
			err = cli.UsageError(c, errors.New("- and --json exclude each other: standard output is the backup"))
		default:
			err = p.backupToStdout(c, settings)
		}
		if err != nil {
			return backupProblem(err)
		}
		p.Say("the master key is not in the backup: keep %s in another place", whereMasterKey(settings))
		switch {
		case args[0] == "-":
			return nil
		case *asJSON:
			return p.WriteJSON(made)
		}
		return p.WriteTable([][]string{{"file", made.File}, {"bytes", fmt.Sprint(made.Bytes)}})
	}
	return c
}

func backupProblem(err error) error {
	switch {
	case errors.Is(err, storage.ErrUsePostgresTools):
		return exit.New(exit.OwnTools, err, `back it up with: pg_dump --format=custom --file=FILE "$SIGNET_DATABASE"`)
	case errors.Is(err, storage.ErrNotBackup):
		return exit.New(exit.DatabaseDamaged, err, "the database file itself is damaged: stop the server and restore the last good backup")
	}
	return err
}

type describedBackup struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

func whereMasterKey(c config.Config) string {
	if c.Master.Key.Reveal() != "" {
		return "the setting master_key"
	}
	return filepath.Join(c.DataDir, node.MasterKeyFile)
}

// backupToFile writes the backup under another name, checks it, and gives it its own
// last: a file of that name is always whole.
func backupToFile(ctx context.Context, c config.Config, name string) (size int64, err error) {
	if _, err := os.Lstat(name); err == nil {
		return 0, fileExists(name)
	}
	draft, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part") // 0600
	if err != nil {
		return 0, exit.New(exit.Failure, fmt.Errorf("write %s: %s", name, exit.WithoutPath(err)), "choose a folder that this user may write to")
	}
	defer os.Remove(draft.Name())
	if err := draft.Close(); err != nil {
		return 0, err
	}
	if size, err = checkedBackup(ctx, c, draft.Name()); err != nil {
		return 0, err
	}
	if err := publish(draft.Name(), name); err != nil {
		return 0, err
	}
	return size, node.SyncFolder(filepath.Dir(name))
}

func fileExists(name string) error {
	return exit.New(exit.Conflict, fmt.Errorf("%s is there already; nothing was changed", name), "choose another name: a backup replaces none")
}

// publish gives a file its name, if there is none of that name.
func publish(draft, name string) error {
	err := os.Link(draft, name)
	if errors.Is(err, os.ErrExist) {
		return fileExists(name)
	}
	if err != nil { // a file system without links
		return os.Rename(draft, name)
	}
	return nil
}

// checkedBackup writes the backup and reads it through.
func checkedBackup(ctx context.Context, c config.Config, file string) (size int64, err error) {
	if err := storage.Backup(ctx, node.StorageConfig(c), file); err != nil {
		return 0, err
	}
	if _, err := storage.ReadBackup(ctx, file); err != nil {
		return 0, err
	}
	state, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return state.Size(), nil
}

// backupToStdout takes the way over a file in the data directory: what goes out was
// checked as well.
func (p *program) backupToStdout(c *cobra.Command, settings config.Config) error {
	if cli.IsTerminal(p.Stdout) {
		return cli.UsageError(c, errors.New("a backup is not text for a terminal: name a file, or send standard output somewhere"))
	}
	folder, err := os.MkdirTemp(settings.DataDir, "backup-*")
	if err != nil {
		return exit.New(exit.Failure, fmt.Errorf("write in data_dir: %s", exit.WithoutPath(err)), "run it as the user who owns the data")
	}
	defer os.RemoveAll(folder)
	name := filepath.Join(folder, "backup")
	if _, err := backupToFile(c.Context(), settings, name); err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(p.Stdout, file)
	return err
}
