package program

import (
	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/demo"
	"signet/cmd/signet/node"
)

func (p *program) devCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a provider to try out, with a demo user, an administrator, a demo client and a demo page",
		Long: `Run a provider to try out, on this machine only.

It needs no settings and reads none: everything is kept in one folder, which can
be removed at any time. ` + demo.Path + ` is a relying party that shows the tokens it gets.
The buttons for Google and GitHub lead to pretend ones on the next two ports, with
accounts to choose from.`,
		Args: cli.ExactArgs(),
	}
	listen := c.Flags().String("listen", "localhost:8080", "loopback address to listen on; port 0 takes a free one")
	dir := c.Flags().String("data-dir", "signet-dev", "folder to keep everything in")
	app := c.Flags().String("app", "", "origin of a React app that passes /auth on to here, as http://localhost:5173; it takes the place of the demo page")
	c.RunE = func(c *cobra.Command, _ []string) error {
		p.growHeap()
		return demo.Serve(c.Context(), demo.Deps{
			Listen: *listen, DataDir: *dir, App: *app,
			Now: p.Now, Log: node.NewTextLog(p.Stderr), Talk: p.Stderr,
		})
	}
	return c
}
