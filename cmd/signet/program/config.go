package program

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"

	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check, show and explain the settings"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.configCheckCommand(), p.configShowCommand(), p.configExplainCommand(), p.configSchemaCommand())
	return c
}

func (p *program) configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check whether serve would start with these settings, and list all mistakes",
		Long: `Check whether serve would start with these settings, and list all mistakes. The check
creates nothing and makes no network connections. The exit code is 3 if there is a
mistake, and 6 if the only problem is that a newer release wrote the database.

The check runs the same code as a start. It reads the files that the settings name and
a SQLite database. It does not check whether the port is free, nor whether PostgreSQL
and the upstreams answer. Run it as the same user as serve.`,
		Args: cli.ExactArgs(),
	}
	file := cli.SettingFlags(c)
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		read := config.Read(p.Sources(c, *file))
		warnings := p.prepare(c.Context(), read, false).Warnings
		for _, warning := range warnings {
			p.Say("%s", warning)
		}
		if *asJSON {
			return errors.Join(p.WriteJSON(checkedConfig{read.Err() == nil, read.Mistakes.Described(), warnings}), read.Err())
		}
		if err := read.Err(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Stdout, "ok")
		return err
	}
	return c
}

// prepare checks the settings for serve and for config check. passed reports that the service
// manager has passed sockets.
func (p *program) prepare(ctx context.Context, read *config.Reading, passed bool) node.Prepared {
	return node.Prepare(ctx, read, p.Now(), p.Env, passed)
}

// checkedConfig is the JSON form of the result of a check.
type checkedConfig struct {
	OK       bool                      `json:"ok"`
	Mistakes []config.DescribedMistake `json:"mistakes"`
	Warnings []string                  `json:"warnings"`
}

func (p *program) configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Short:   "List all settings with their values and their sources; secrets are shown as ***",
		Example: "  signet config show --config signet.yaml",
		Args:    cli.ExactArgs(),
	}
	file := cli.SettingFlags(c)
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		read := config.Read(p.Sources(c, *file))
		if err := read.Err(); err != nil {
			return err
		}
		shown := read.ShownSettings()
		if *asJSON {
			return p.WriteJSON(map[string]any{"settings": shown})
		}
		rows := [][]string{{"KEY", "VALUE", "FROM"}}
		for _, s := range shown {
			rows = append(rows, []string{s.Key, s.Value, s.From()})
		}
		return p.WriteTable(rows)
	}
	return c
}

func (p *program) configExplainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Explain a setting: its meaning, its form, and the source of its value",
		Example: `  signet config explain lifetimes.session
  signet config explain SIGNET_MASTER_KEY
  signet config explain connectors.trust`,
		Args: cli.ExactArgs("the key of a setting"),
	}
	file := cli.SettingFlags(c)
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		explained, err := config.Read(p.Sources(c, *file)).Explain(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return p.WriteJSON(explained)
		}
		return p.writeExplained(explained)
	}
	return c
}

func (p *program) writeExplained(e config.Explanation) error {
	effect := "at the next start"
	if e.Live {
		effect = "immediately"
	}
	rows := cli.DropEmptyRows([][]string{
		{e.Key, e.About},
		{"  unit", e.Unit},
		{"  default", e.Default},
		{"  example", e.Example},
		{"  variable", e.Variable},
		{"  file variable", e.FileVariable},
		{"  flag", e.Flag},
		{"  takes effect", effect},
	})
	for _, now := range e.Now {
		name := "  now"
		if len(e.Now) > 1 || now.Key != e.Key {
			name = "  now, " + strings.TrimPrefix(now.Key, "connectors.")
		}
		rows = append(rows, []string{name, orNone(now.Value) + " (" + now.From() + ")"})
	}
	for _, m := range e.Mistakes {
		rows = append(rows, []string{"  mistake", m})
	}
	return p.WriteTable(rows)
}

func (p *program) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the settings file, for editors",
		Long: `Print the JSON Schema (2020-12) of the settings file. An editor with a YAML language
server uses the schema to complete and check a file that has this first line:

  # yaml-language-server: $schema=signet.schema.json`,
		Example: "  signet config schema > signet.schema.json",
		Args:    cli.ExactArgs(),
		RunE:    func(*cobra.Command, []string) error { return p.WriteJSON(config.Schema()) },
	}
}
