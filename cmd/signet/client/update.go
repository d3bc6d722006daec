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
		Long: `Change a client. Only the fields whose flags you pass change. A list flag replaces
the whole list, and an empty value ("") clears the field.`,
		Example: `  signet client update my-app --redirect-uri https://app.example.com/cb --redirect-uri https://app.example.com/cb2
  signet client update my-app --policy-uri ""`,
		Args: cli.ExactArgs("the client's id"),
	}
	fields := addClientFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if !fields.anyPassed() {
			return errors.New("pass at least one flag for a field to change")
		}
		return fields.check() // so that a wrong value does not fail inside the transaction
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		var before storage.Client
		revised, err := p.Directory(settings, db).ReviseClient(ctx, args[0], func(c *storage.Client) error {
			before = *c
			return fields.apply(c)
		}, cli.Origin())
		if err != nil {
			return cmp.Or(refusalError(c, args[0], err), clientError(args[0], err))
		}
		if directory.ChangesSubjects(before, revised) {
			p.Say("the client now gets another subject (sub) for every user: the application takes each of them for a new person, and its tokens from before are invalid")
		}
		p.sayWhatIsMissing(revised)
		return p.showClient(p.Directory(settings, db), revised, "", *asJSON)
	})
	return c
}

func (p commands) disableCommand() *cobra.Command {
	return p.switchCommand("disable", "Disable a client: it cannot sign users in, and its tokens are invalid until it is enabled again", (*directory.Directory).DisableClient)
}

func (p commands) enableCommand() *cobra.Command {
	return p.switchCommand("enable", "Enable a disabled client", (*directory.Directory).EnableClient)
}

func (p commands) approveCommand() *cobra.Command {
	return p.switchCommand("approve", "Approve a client that registered itself: its pages show no warning, and it does not expire when nobody uses it", func(d *directory.Directory, ctx context.Context, id string, from storage.Origin) error {
		return d.ApproveClient(ctx, id, from)
	})
}

// switchCommand returns the command disable, enable or approve, which calls act.
func (p commands) switchCommand(verb, short string, act func(*directory.Directory, context.Context, string, storage.Origin) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " CLIENT_ID", Short: short, Example: "  signet client " + verb + " my-app", Args: cli.ExactArgs("the client's id")}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if err := act(p.Directory(settings, db), ctx, args[0], cli.Origin()); err != nil {
			return cmp.Or(refusalError(c, args[0], err), clientError(args[0], err))
		}
		switched, err := db.Client(ctx, args[0])
		if err != nil {
			return clientError(args[0], err)
		}
		p.Say("client %s is %s", switched.ID, clientState(switched))
		return p.showClient(p.Directory(settings, db), switched, "", *asJSON)
	})
	return c
}

func (p commands) deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete CLIENT_ID",
		Short: "Delete a client permanently, with its tokens and consents",
		Long: `Delete a client permanently, with its tokens and the consents that users gave it. To
stop a client temporarily, use: signet client disable.`,
		Args: cli.ExactArgs("the client's id"),
	}
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return clientError(args[0], err)
		}
		if !*yes {
			if err := p.Confirm(c, "Deleting the client "+found.ID+" cannot be undone.", "its id", func(typed string) bool { return typed == found.ID }); err != nil {
				return err
			}
		}
		if err := p.Directory(settings, db).DeleteClient(ctx, found.ID, cli.Origin()); err != nil {
			return clientError(args[0], err)
		}
		p.Say("client %s is deleted", found.ID)
		if *asJSON {
			return p.WriteJSON(describe(p.Directory(settings, db), found, ""))
		}
		return nil
	})
	return c
}
