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
		Short: "Write a backup of the SQLite database while the server runs",
		Long: `Write a consistent backup of the SQLite database while the server runs, and let SQLite
check the written file. FILE must not exist; - writes to standard output. To restore
the backup, use: signet restore.

The backup does not contain the master key. Store the master key in another place:
anyone with both can sign tokens, and without it the keys in the backup are lost.

For PostgreSQL, use: pg_dump --format=custom --file=FILE "$SIGNET_DATABASE"`,
		Example: `  signet backup /var/backups/signet-$(date +%F).db
  signet backup - | age -r age1… > signet.db.age`,
		Args: cli.ExactArgs("the file to write, or - for standard output"),
	}
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "data_dir")
	c.PreRunE = func(c *cobra.Command, args []string) error {
		switch {
		case args[0] == "-" && *asJSON:
			return cli.UsageError(c, errors.New("- and --json cannot be used together: standard output is the backup"))
		case args[0] == "-" && cli.IsTerminal(p.Stdout):
			return cli.UsageError(c, errors.New("a backup is binary and cannot be written to a terminal: name a file, or redirect standard output"))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		written := describedBackup{File: args[0]}
		if settings.Database.Reveal() == "" {
			if err := node.FindDatabase(c.Context(), settings); err != nil {
				return err
			}
		}
		switch {
		case settings.Database.Reveal() != "":
			err = storage.ErrUsePostgresTools
		case args[0] != "-":
			written.Bytes, err = backupToFile(c.Context(), settings, args[0])
		default:
			err = p.backupToStdout(c, settings)
		}
		if err != nil {
			return backupProblem(err)
		}
		p.Say("the master key is not in the backup: store %s in another place", masterKeyPlace(settings))
		switch {
		case args[0] == "-":
			return nil
		case *asJSON:
			return p.WriteJSON(written)
		}
		return p.WriteTable([][]string{{"file", written.File}, {"bytes", fmt.Sprint(written.Bytes)}})
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

func masterKeyPlace(c config.Config) string {
	if c.Master.Key.Reveal() != "" {
		return "the setting master_key"
	}
	return filepath.Join(c.DataDir, node.MasterKeyFile)
}

// backupToFile writes the backup to a temporary folder beside it, checks it, and then renames it.
// So a file with the final name is always complete. If the process is killed, the next backup to
// the folder removes the temporary folder.
func backupToFile(ctx context.Context, c config.Config, name string) (size int64, err error) {
	if _, err := os.Lstat(name); err == nil {
		return 0, fileExists(name)
	}
	workspace, err := storage.NewWorkspace(filepath.Dir(name), "backup")
	if err != nil {
		return 0, exit.New(exit.Failure, fmt.Errorf("write %s: %s", name, exit.WithoutPath(err)), "choose a folder that this user can write to")
	}
	defer workspace.Close()
	draft := filepath.Join(workspace.Folder, "part")
	if size, err = writeAndCheck(ctx, c, draft); err != nil {
		return 0, err
	}
	if err := publish(draft, name); err != nil {
		return 0, err
	}
	return size, node.SyncFolder(filepath.Dir(name))
}

func fileExists(name string) error {
	return exit.New(exit.Conflict, fmt.Errorf("%s exists already; nothing was changed", name), "choose another name: a backup never replaces a file")
}

// publish renames draft to name. It returns exit.Conflict if name exists.
func publish(draft, name string) error {
	err := os.Link(draft, name)
	if errors.Is(err, os.ErrExist) {
		return fileExists(name)
	}
	if err != nil { // the file system has no hard links
		return os.Rename(draft, name)
	}
	return nil
}

// writeAndCheck writes the backup and checks the written file.
func writeAndCheck(ctx context.Context, c config.Config, file string) (size int64, err error) {
	draft, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	if err := draft.Close(); err != nil {
		return 0, err
	}
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

// backupToStdout writes the backup to a temporary file in the data directory first, so that it is
// checked too.
func (p *program) backupToStdout(c *cobra.Command, settings config.Config) error {
	workspace, err := storage.NewWorkspace(settings.DataDir, "backup")
	if err != nil {
		return exit.New(exit.Failure, fmt.Errorf("write in data_dir: %s", exit.WithoutPath(err)), "run the command as the user that owns data_dir")
	}
	defer workspace.Close()
	name := filepath.Join(workspace.Folder, "part")
	if _, err := writeAndCheck(c.Context(), settings, name); err != nil {
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
