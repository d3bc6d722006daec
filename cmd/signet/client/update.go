package client

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) updateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update CLIENT_ID",
		Short: "Change a client",
		Long: `Change a client. Only what is named changes; a list is replaced by what is
given, and an empty value ("") takes away what was there.`,
		Example: `  signet client update my-app --redirect-uri https://app.example.com/cb --redirect-uri https://app.example.com/cb2
  signet client update my-app --policy-uri ""`,
		Args: cli.ExactArgs("the client's id"),
	}
	members := addClientFlags(c)
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if !members.any() {
			return cli.UsageError(c, errors.New("nothing is named that should change"))
		}
		// What cannot be read (a file, a number) should not be found out in a transaction.
		var named storage.Client
		if err := members.onto(&named); err != nil {
			return cli.UsageError(c, err)
		}
		revised, err := p.Directory(settings, db).ReviseClient(ctx, args[0], members.onto, cli.Origin())
		if err != nil {
			return cmp.Or(refusedClient(c, args[0], err), aboutClient(args[0], err))
		}
		if !revised.Public() && revised.Secrets[0].Hash == "" {
			p.Say("the client has no secret yet: signet client secret rotate %s", revised.ID)
		}
		return p.showClient(revised, "", *asJSON)
	})
	return c
}

func (p commands) disableCommand() *cobra.Command {
	return p.switchCommand("disable", "Stop a client: nobody signs in through it, and its tokens are dead until it is enabled", (*directory.Directory).DisableClient)
}

func (p commands) enableCommand() *cobra.Command {
	return p.switchCommand("enable", "Let a client work again", (*directory.Directory).EnableClient)
}

// clientSwitchCommand is disable or enable, which is what act does.
func (p commands) switchCommand(verb, about string, act func(*directory.Directory, context.Context, string, storage.Origin) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " CLIENT_ID", Short: about, Example: "  signet client " + verb + " my-app", Args: cli.ExactArgs("the client's id")}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if err := act(p.Directory(settings, db), ctx, args[0], cli.Origin()); err != nil {
			return aboutClient(args[0], err)
		}
		switched, err := db.Client(ctx, args[0])
		if err != nil {
			return aboutClient(args[0], err)
		}
		p.Say("client %s is %s", switched.ID, clientState(switched))
		return p.showClient(switched, "", *asJSON)
	})
	return c
}

func (p commands) deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete CLIENT_ID",
		Short: "Delete a client for good, with its tokens and the consents it was given",
		Long: `Delete a client for good, with its tokens and the consents it was given. To stop it and
change your mind later: signet client disable.`,
		Args: cli.ExactArgs("the client's id"),
	}
	yes := c.Flags().Bool("yes", false, "do not ask")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return aboutClient(args[0], err)
		}
		if !*yes {
			if err := p.Confirm(c, "Deleting the client "+found.ID+" cannot be undone.", "its id", func(typed string) bool { return typed == found.ID }); err != nil {
				return err
			}
		}
		if err := p.Directory(settings, db).DeleteClient(ctx, found.ID, cli.Origin()); err != nil {
			return aboutClient(args[0], err)
		}
		p.Say("client %s is deleted", found.ID)
		if *asJSON {
			return p.WriteJSON(describe(found, ""))
		}
		return nil
	})
	return c
}
