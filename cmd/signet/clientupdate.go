package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"signet/storage"
)

func (p *program) clientUpdateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update CLIENT_ID",
		Short: "Change a client",
		Long: `Change a client. Only what is named changes; a list is replaced by what is
given, and an empty value ("") takes away what was there.`,
		Example: `  signet client update my-app --redirect-uri https://app.example.com/cb --redirect-uri https://app.example.com/cb2
  signet client update my-app --logo-uri ""`,
		Args: exactly("the client's id"),
	}
	members := addClientFlags(c)
	members.text("name", "name that people see", func(c *storage.Client) *string { return &c.Name })
	kind := c.Flags().String("type", "", "web, spa, native or service; what else its kind asks for is to be named too")
	members.given("type", func(c *storage.Client) error {
		c.Type = storage.ClientType(*kind)
		return nil
	})
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, config Config, db *storage.DB, args []string) error {
		if !members.any() {
			return usage(c, errors.New("nothing is named that should change"))
		}
		// What cannot be read (a file, a number) should not be found out in a transaction.
		var named storage.Client
		if err := members.onto(&named); err != nil {
			return usage(c, err)
		}
		if err := signable(ctx, db, config, named.Metadata.IDTokenSignedResponseAlg); err != nil {
			return err
		}
		var invalid error
		revised, err := db.ReviseClient(ctx, args[0], func(c *storage.Client) error {
			before := *c
			invalid = errors.Join(members.onto(c), invalidClient(c.ValidateChange(before)))
			return invalid
		}, storage.By{From: fromCommandLine(), At: p.now()})
		if invalid != nil {
			return usage(c, invalid)
		}
		if err != nil {
			return aboutClient(args[0], err)
		}
		if !revised.Public() && revised.Secrets[0].Hash == "" {
			p.say("the client has no secret yet: signet client secret rotate %s", revised.ID)
		}
		return p.showClient(revised, "", *asJSON)
	})
	return c
}

// clientSwitchCommand is disable or enable.
func (p *program) clientSwitchCommand(verb string, off bool) *cobra.Command {
	c := &cobra.Command{Use: verb + " CLIENT_ID", Example: "  signet client " + verb + " my-app", Args: exactly("the client's id")}
	c.Short = "Let a client work again"
	if off {
		c.Short = "Stop a client: nobody signs in through it, and its tokens are dead until it is enabled"
	}
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		if err := db.SetClientEnabled(ctx, args[0], !off, storage.By{From: fromCommandLine(), At: p.now()}); err != nil {
			return aboutClient(args[0], err)
		}
		switched, err := db.Client(ctx, args[0])
		if err != nil {
			return aboutClient(args[0], err)
		}
		p.say("client %s is %s", switched.ID, clientState(switched))
		return p.showClient(switched, "", *asJSON)
	})
	return c
}

func (p *program) clientDeleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete CLIENT_ID",
		Short: "Delete a client for good, with its tokens and the consents it was given",
		Long: `Delete a client for good, with its tokens and the consents it was given. To stop it and
change your mind later: signet client disable.`,
		Args: exactly("the client's id"),
	}
	yes := c.Flags().Bool("yes", false, "do not ask")
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		found, err := db.Client(ctx, args[0])
		if err != nil {
			return aboutClient(args[0], err)
		}
		if !*yes {
			if err := p.confirm(c, "Deleting the client "+found.ID+" cannot be undone.", "its id", func(typed string) bool { return typed == found.ID }); err != nil {
				return err
			}
		}
		if err := db.DeleteClient(ctx, found.ID, storage.By{From: fromCommandLine(), At: p.now()}); err != nil {
			return aboutClient(args[0], err)
		}
		p.say("client %s is deleted", found.ID)
		if *asJSON {
			return p.writeJSON(describeClient(found))
		}
		return nil
	})
	return c
}
