package user

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// invitedEmail is the name of the argument EMAIL of the commands for invitations in error messages.
const invitedEmail = "the email address of the invited person"

func (p commands) inviteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "invite EMAIL",
		Short: "Invite a person to create an account, and print the one-time link",
		Long: `Invite a person to create an account. The command prints a link with which the person
chooses a name and a password. The link works once, within 7 days, on every node. A newer
invitation of the address replaces an older one. Invitations work with every value of the
setting signup.

If a mail server is set up, the link is mailed to the address too, unless you pass
--no-mail. Only the mailed link proves the address. If you hand over the printed one, the
address is unproven, unless you pass --email-verified.

The account gets the roles and groups that you pass here, whatever the person enters. To
list and revoke invitations, use: signet user invitation.`,
		Example: `  signet user invite ada@example.com
  signet user invite ada@example.com --name "Ada Lovelace" --role dev --client photos
  signet user invite ada@example.com --no-mail --json`,
		Args: cli.ExactArgs(invitedEmail),
	}
	var draft storage.InvitationDraft
	flags := c.Flags()
	flags.StringVar(&draft.Name, "name", "", "full name; the person can change it")
	flags.StringArrayVar(&draft.Roles, "role", nil, "role of the new user (repeat for more)")
	flags.StringArrayVar(&draft.Groups, "group", nil, "group of the new user (repeat for more)")
	flags.BoolVar(&draft.Admin, "admin", false, "make the new user an administrator of this server")
	flags.BoolVar(&draft.EmailVerified, "email-verified", false, "confirm that you hand the link to the owner of the email address, so that it counts as proven")
	flags.StringVar(&draft.ClientID, "client", "", "client whose application the person goes on to")
	noMail := flags.Bool("no-mail", false, "do not mail the link")
	asJSON := cli.JSONFlag(c)
	p.withLinks(c, func(ctx context.Context, s linkServer, args []string) error {
		draft.Email, draft.Mail = args[0], s.settings.SendsMails() && !*noMail
		draft.Roles, draft.Groups = cli.DropEmpty(draft.Roles), cli.DropEmpty(draft.Groups)
		if err := directory.CheckInvitation(&draft, p.Now()); err != nil {
			return cli.RuleError(c, exit.FieldInvalid, withFlagName(err))
		}
		made, err := s.rules.Invite(ctx, draft, cli.Origin())
		if reserved, is := errors.AsType[*storage.AddressReservedError](err); is {
			return reservedError(reserved)
		}
		switch {
		case errors.Is(err, storage.ErrConflict):
			return exit.New(exit.Conflict, fmt.Errorf("%s has an account already", args[0]),
				"give its user a link for a new password with: signet user link "+args[0]+" --for password; or change its roles with: signet user update "+args[0])
		case errors.Is(err, storage.ErrNotFound):
			return exit.New(exit.NotFound, fmt.Errorf("there is no client %q", draft.ClientID), "list the clients with: signet client list")
		case err != nil:
			return fmt.Errorf("invite %s: %w", args[0], err)
		}
		p.sayInvited(draft, made)
		return p.printLink(s.links, made, *asJSON)
	})
	return c
}

// sayInvited says how the link gets to the person, and whether it proves the address.
func (p commands) sayInvited(d storage.InvitationDraft, l storage.MailLink) {
	until := cli.FormatTime(l.ExpiresAt.Time())
	if d.Mail {
		p.Say("the link is mailed to %s; it works once, until %s", d.Email, until)
	} else {
		p.Say("hand the link to %s; it works once, until %s", d.Email, until)
	}
	if !d.EmailVerified {
		p.Say("the printed link does not prove the address: if the person uses it, applications do not receive the address until it is proven")
	}
}

func (p commands) invitationCommand() *cobra.Command {
	c := &cobra.Command{Use: "invitation", Short: "List and revoke invitations"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.invitationListCommand(), p.invitationRevokeCommand())
	return c
}

func (p commands) invitationListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List invitations and what became of them",
		Long: `List invitations, the newest first. An invitation is open, used (it created an account) or
expired. It is listed until a day after it expires. The links are not listed, because
they are not stored; to get another link, invite the person again.`,
		Example: "  signet user invitation list --json",
		Args:    cli.ExactArgs(),
	}
	limit := c.Flags().Int("limit", 50, "largest number of invitations, 1 to 10000")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *limit < 1 || *limit > 10_000 {
			return errors.New("--limit must be 1 to 10000")
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		invitations, err := db.Invitations(ctx, storage.InvitationFilter{}, *limit, p.Now())
		if err != nil {
			return fmt.Errorf("list invitations: %w", err)
		}
		if *asJSON {
			list := []directory.InvitationDocument{} // never null
			for _, i := range invitations {
				list = append(list, directory.DescribeInvitation(i))
			}
			return p.WriteJSON(map[string]any{"invitations": list})
		}
		if len(invitations) == 0 {
			p.Say("there are no invitations; invite a person with: signet user invite EMAIL")
			return nil
		}
		rows := [][]string{{"EMAIL", "STATE", "INVITED", "EXPIRES", "ROLES", "GROUPS", "CLIENT"}}
		for _, i := range invitations {
			roles := strings.Join(i.Roles, ", ")
			if i.Admin {
				roles = strings.TrimSuffix("administrator, "+roles, ", ")
			}
			rows = append(rows, []string{
				i.Link.Address, string(i.State), cli.FormatTime(i.Link.CreatedAt.Time()), cli.FormatTime(i.Link.ExpiresAt.Time()), roles, strings.Join(i.Groups, ", "), i.ClientID,
			})
		}
		return p.WriteTable(rows)
	})
	return c
}

func (p commands) invitationRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "revoke EMAIL",
		Short:   "Make an invitation invalid",
		Long:    "Make the invitation of an address invalid. An account that it has created stays.",
		Example: "  signet user invitation revoke ada@example.com",
		Args:    cli.ExactArgs(invitedEmail),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		err := p.Directory(settings, db).RevokeInvitation(ctx, args[0], cli.Origin())
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return exit.New(exit.NotFound, fmt.Errorf("there is no invitation of %s, or it was used", args[0]), "list the invitations with: signet user invitation list")
		case err != nil:
			return withFlagName(err)
		}
		p.Say("the invitation of %s is revoked", args[0])
		if *asJSON {
			return p.WriteJSON(map[string]any{"email": args[0]})
		}
		return nil
	})
	return c
}
