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
		Short: "Ask the server on this machine whether it is well, for container checks",
		Long: `Ask the server that runs with these settings whether it can serve requests: it has its
keys, and its database answers. Exit code 0 if so, 7 if not or if nobody answers
within 5 seconds. With --live only whether it runs: a database that is away is no
reason to restart it.

It is asked at the setting listen. With TLS its certificate is not checked: nothing
secret is sent, and it is made out to the name that the world uses.`,
		Example: `  signet health
  signet health --live`,
		Args: cli.ExactArgs(),
	}
	live := c.Flags().Bool("live", false, "ask only whether it runs")
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
			return exit.New(exit.Unreachable, err, "look at the server's log; is it running, with these settings?")
		}
		if !*asJSON {
			_, err = fmt.Fprintln(p.Stdout, found.Status)
		}
		return err
	}
	return c
}
