package program

import (
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/storage"
)

func (p *program) migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Update the database schema",
		Long: `Update the database schema, as every start of a server does. Servers of the previous
release continue to work meanwhile, unless the release notes say otherwise.

--check changes nothing. It lists the pending migrations; the exit code is 0 if there
are none, and 8 otherwise.`,
		Example: `  signet migrate --check
  signet migrate`,
		Args: cli.ExactArgs(),
	}
	check := c.Flags().Bool("check", false, "change nothing, only list the pending migrations")
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		if !*check {
			storage.CleanFolder(node.StorageConfig(settings))
		}
		schema, err := node.ReadSchema(c.Context(), settings)
		if err != nil {
			return err
		}
		if !*check && len(schema.Pending) > 0 {
			db, err := node.OpenDatabase(c.Context(), settings, nil)
			if err != nil {
				return err
			}
			if err := db.Close(); err != nil {
				return err
			}
		}
		return p.showMigrations(schema.Pending, *check, *asJSON)
	}
	return c
}

// showMigrations lists the pending migrations or, without check, the applied ones.
func (p *program) showMigrations(names []string, check, asJSON bool) error {
	kind := "applied"
	if check {
		kind = "pending"
	}
	if asJSON {
		if err := p.WriteJSON(map[string][]string{kind: append([]string{}, names...)}); err != nil {
			return err
		}
	} else {
		for _, name := range names {
			if _, err := fmt.Fprintln(p.Stdout, name); err != nil {
				return err
			}
		}
	}
	if check && len(names) > 0 {
		return exit.New(exit.MigrationsPending, fmt.Errorf("%d migrations are pending", len(names)), "")
	}
	p.Say("the schema is up to date")
	return nil
}
