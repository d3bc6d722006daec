package client

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

// Command returns the command `signet client` with its subcommands.
func Command(program *cli.Program) *cobra.Command {
	p := commands{program}
	c := &cobra.Command{Use: "client", Short: "Create, show and change clients"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.createCommand(), p.listCommand(), p.showCommand(),
		p.updateCommand(), p.disableCommand(), p.enableCommand(), p.approveCommand(), p.previewCommand(), p.secretCommand(),
		p.federationCommand(), p.deleteCommand())
	return c
}

func (p commands) createCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create --name NAME --redirect-uri URI",
		Short: "Create a client",
		Long: `Create a client. Its type sets the defaults of all other flags:

  web      a web server, with a secret
  spa      a single-page application, without a secret
  native   a desktop, mobile or command-line program, without a secret
  service  a program without users, with a secret

The secret of a web client or a service is printed only once. Signet stores only its
hash. With --token-endpoint-auth-method private_key_jwt there is no secret: the client
signs a JWT with a key of its own, or sends one of an issuer that you name with
signet client federation add.`,
		Example: `  signet client create --name "My app" --redirect-uri https://app.example.com/callback
  signet client create --type spa --name Shop --redirect-uri https://shop.example.com/ --json
  signet client create --type service --name Billing --token-endpoint-auth-method private_key_jwt --jwks public-keys.json
  signet client create --library oauth2-proxy --name Wiki --redirect-uri https://wiki.example.com/oauth2/callback`,
		Args: cli.ExactArgs(),
	}
	id := c.Flags().String("id", "", "client_id (default: a random id)")
	named := c.Flags().String("library", "", "library or program that signs people in; sets what it needs, and ES256 if it accepts that: "+strings.Join(libraryNames(), ", "))
	fields := addClientFlags(c)
	asJSON := cli.JSONFlag(c)
	var library directory.Library // the zero value without the flag
	cli.CheckUsage(c, func() error {
		found, known := directory.FindLibrary(*named)
		if c.Flags().Changed("library") && !known {
			return fmt.Errorf("--library %q is not known: pass one of %s, or omit it", *named, strings.Join(libraryNames(), ", "))
		}
		library = found
		return cmp.Or(cli.RequireFlags(c, "name"), fields.check())
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if *id == "" {
			*id = directory.NewClientID()
		}
		draft := directory.NewClient(fields.kind(library), *id, "")
		library.Prepare(&draft)
		if err := fields.apply(&draft); err != nil {
			return err
		}
		created, secret, err := p.Directory(settings, db).CreateClient(ctx, draft, cli.Origin())
		if err != nil {
			return cmp.Or(refusalError(c, *id, err), err)
		}
		p.sayWhatIsMissing(created)
		return p.showClient(p.Directory(settings, db), created, secret, *asJSON)
	})
	return c
}

func libraryNames() (names []string) {
	for _, l := range directory.Libraries() {
		names = append(names, l.Name)
	}
	return names
}

func (p commands) listCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the clients", Example: "  signet client list --json", Args: cli.ExactArgs()}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		clients, err := db.Clients(ctx)
		if err != nil {
			return fmt.Errorf("list clients: %w", err)
		}
		if *asJSON {
			list := []described{} // never null
			for _, c := range clients {
				list = append(list, describe(p.Directory(settings, db), c, ""))
			}
			return p.WriteJSON(map[string]any{"clients": list})
		}
		if len(clients) == 0 {
			p.Say("there are no clients yet; create one with: signet client create --name NAME --redirect-uri URI")
			return nil
		}
		rows := [][]string{{"CLIENT ID", "TYPE", "NAME", "STATE"}}
		for _, c := range clients {
			rows = append(rows, []string{c.ID, string(c.Type), c.Name, clientState(c)})
		}
		return p.WriteTable(rows)
	})
	return c
}

func (p commands) showCommand() *cobra.Command {
	c := &cobra.Command{Use: "show CLIENT_ID", Short: "Show one client", Example: "  signet client show my-app", Args: cli.ExactArgs("the client's id")}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return clientError(args[0], err)
		}
		return p.showClient(p.Directory(settings, db), found, "", *asJSON)
	})
	return c
}
