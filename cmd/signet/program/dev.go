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
		Short: "Run a provider for trying out, with a demo user, an administrator, a demo client and a demo page",
		Long: `Run a provider for trying out, on this machine only.

It needs no settings and reads none. All data is in one folder, which you can delete at
any time. ` + demo.Path + ` is a demo client that shows the tokens it receives. The buttons for
Google and GitHub lead to imitations on the next two ports, where you choose an account.`,
		Args: cli.ExactArgs(),
	}
	listen := c.Flags().String("listen", "localhost:8080", "loopback address to listen on; port 0 uses a free port")
	dir := c.Flags().String("data-dir", "signet-dev", "folder for all data")
	app := c.Flags().String("app", "", "origin of a React app that forwards /auth to this server, such as http://localhost:5173; it replaces the demo page")
	c.RunE = func(c *cobra.Command, _ []string) error {
		p.growHeap()
		return demo.Serve(c.Context(), demo.Deps{
			Listen: *listen, DataDir: *dir, App: *app,
			Now: p.Now, Log: node.NewTextLog(p.Stderr), Talk: p.Stderr,
		})
	}
	return c
}
