package user

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/provider/link"
	"signet/provider/spelling"
	"signet/storage"
)

func (p commands) linkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "link EMAIL|SUB --for password|passkey",
		Short: "Print a one-time link with which a user sets a password or adds a passkey",
		Long: `Print a one-time link with which a user sets a password or adds a passkey. The link works
once, within 30 minutes, on every node, and needs no mail server. Hand it over to the user by
a way that you trust. When it is used, all sessions and tokens of the user end. A newer link
for the same use replaces an older one. The user gets a mail without the link, if the server
sends mails and the email address is verified.

A link for a passkey asks for a security key, a confirmed passkey, a code of the authenticator
app or a recovery code first, if the user has one of the first three. A user who had only passkeys is asked for one,
or for a recovery code, after a new password. If the user lost those too, run "signet user
reset-factors" before.

The link does not prove the email address, because it was not mailed. If the address is
unproven and the account has an identity or a session, the command stops and lists them,
because another person may have set them up; for a passkey, also if it has a password. With
--evict the link deletes them when it is used, with --keep it keeps them.`,
		Example: `  signet user link ada@example.com --for password
  signet user link ada@example.com --for password --json
  signet user link ada@example.com --for passkey`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	use := c.Flags().String("for", "", "what the user does with the link: password (set a password) or passkey (add a passkey)")
	reason := reasonFlag(c)
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if err := cli.RequireFlags(c, "for"); err != nil {
			return err
		}
		if !slices.Contains(directory.LinkUses(), *use) {
			return fmt.Errorf("--for is %q%s", *use, cmp.Or(spelling.DidYouMean(*use, directory.LinkUses()), ": use password or passkey"))
		}
		return cmp.Or(checkReasonFlag(*reason), attached.check())
	})
	p.withLinks(c, func(ctx context.Context, s linkServer, args []string) error {
		u, err := Find(ctx, s.db, args[0])
		if err != nil {
			return err
		}
		if !u.Enabled() {
			return exit.New(exit.Denied, fmt.Errorf("%s is disabled", DisplayName(u)), "enable the user with: signet user enable "+DisplayName(u))
		}
		made, err := s.rules.Link(ctx, directory.UserLink{
			UserID: u.ID, For: *use, Reason: cli.ByAdministrator, Unproven: attached.policy(), Support: storage.Support{Note: *reason},
		}, cli.Origin())
		switch {
		case errors.Is(err, directory.ErrNoPasskeys):
			return exit.New(exit.Denied, fmt.Errorf("passkeys cannot be used at %s: browsers accept them only at a host name with HTTPS, or at localhost", s.settings.Issuer), "change the setting issuer, or use --for password")
		case errors.Is(err, storage.ErrUnproven):
			return p.unprovenError(u, err, *asJSON)
		case errors.Is(err, storage.ErrNoAddress):
			return exit.New(exit.NoAddress, fmt.Errorf("%s has no email address, so cannot sign in with a password", DisplayName(u)), "set one with: signet user update "+DisplayName(u)+" --email EMAIL")
		case err != nil:
			return ErrorAbout(args[0], err)
		}
		p.Say("hand the link to %s; it works once, until %s, and ends all sessions of the user when it is used", DisplayName(u), cli.FormatTime(made.ExpiresAt.Time()))
		return p.printLink(s.links, made, *asJSON)
	})
	return c
}

// reasonFlag adds the flag --reason.
func reasonFlag(c *cobra.Command) *string {
	return c.Flags().String("reason", "", "why the user needs this, for the audit event")
}

func checkReasonFlag(reason string) error {
	if reason == "" {
		return nil
	}
	if err := directory.CheckReason(reason); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// linkServer has the parts of the server that make one-time links. The rules and the links
// use the clock of the servers, which compare the expiry of links with it.
type linkServer struct {
	settings config.Config
	db       *storage.DB
	rules    *directory.Directory
	links    *link.Links
}

// withLinks makes c run do with the settings, their database, its rules and its links.
func (p commands) withLinks(c *cobra.Command, do func(ctx context.Context, s linkServer, args []string) error) {
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		clock := node.NewClock(p.Now)
		if err := clock.Measure(ctx, db); err != nil {
			return fmt.Errorf("measure the database's clock: %w", err)
		}
		links, err := node.Links(ctx, settings, db, clock.Now)
		if err != nil {
			return err
		}
		return do(ctx, linkServer{settings, db, node.Directory(settings, db, clock.Now), links}, args)
	})
}

// describedLink is the JSON form of a one-time link.
type describedLink struct {
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expires_at"`
}

// printLink prints the URL of a link: alone, or as JSON.
func (p commands) printLink(links *link.Links, l storage.MailLink, asJSON bool) error {
	address, err := links.URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil {
		return err
	}
	if asJSON {
		return p.WriteJSON(describedLink{address, l.ExpiresAt.Time()})
	}
	_, err = fmt.Fprintln(p.Stdout, address)
	return err
}
