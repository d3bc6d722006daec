package program

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
)

func (p *program) healthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "health",
		Short: "Check whether the server on this machine is healthy, for container checks",
		Long: `Check whether the server that runs with these settings can serve requests: it has its
keys, and its database answers. The exit code is 0 if so, and 7 if not or if there is
no answer within 5 seconds. --live only checks whether the server runs, because an
unreachable database is no reason to restart it.

The command connects to the address of the setting listen. It does not verify a TLS
certificate: it sends no secret, and the certificate has the public name of the server.`,
		Example: `  signet health
  signet health --live`,
		Args: cli.ExactArgs(),
	}
	live := c.Flags().Bool("live", false, "only check whether the server runs")
	asJSON := cli.JSONFlag(c)
	file := cli.SettingFlags(c, "issuer", "listen")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		found, err := node.AskHealth(c.Context(), settings, *live)
		if *asJSON {
			err = errors.Join(p.WriteJSON(found), err)
		}
		if err != nil {
			return exit.New(exit.Unreachable, err, "check that the server runs with these settings, and read its log")
		}
		if !*asJSON {
			_, err = fmt.Fprintln(p.Stdout, found.Status)
		}
		return err
	}
	return c
}
