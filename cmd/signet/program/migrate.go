package program

import (
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
)

func (p *program) migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date",
		Long: `Bring the database's schema up to date, as every start of a server does. Servers of
the release before go on working meanwhile, unless its notes say otherwise.

With --check nothing is changed: exit code 0 when there is nothing to do, 8 when
migrations are pending, which are listed.`,
		Example: `  signet migrate --check
  signet migrate`,
		Args: cli.ExactArgs(),
	}
	check := c.Flags().Bool("check", false, "change nothing, only list what is pending")
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
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

// showMigrations lists what is pending or, without check, what has been done.
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
