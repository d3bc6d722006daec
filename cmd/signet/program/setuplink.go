package program

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/user"
	"signet/provider/interaction"
	"signet/storage"
)

// setupLifetime is the life of a setup link.
const setupLifetime = 30 * time.Minute

func (p *program) setupLinkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup-link",
		Short: "Print a link that creates the first administrator, or gives one access again",
		Long: `Print a link to the page on which the first administrator chooses a name and a
password. The link works once, within 30 minutes, on every node. While there is no
administrator, the server prints such a link at each start. As soon as there is an
administrator, all links are invalid. To create another one, use:
signet user create --admin.

--break-glass is for the case that every administrator has lost access. Its link creates a
new administrator, and no other account changes. With --user, the link sets a new password
for that administrator instead: the old password stops working and all sessions and tokens
of the account end. Ways to sign in through upstreams stay connected; the page lists them.
To remove one, use: signet user identity remove. Passkeys and other second factors stay
too; if they are lost, remove them with: signet user reset-factors.

A newer link replaces an older one. All administrators see for 30 days that the link was
created and used. It is recorded in the audit events, with the user who ran this command.`,
		Example: `  signet setup-link
  signet setup-link --break-glass
  signet setup-link --break-glass --user ada@example.com`,
		Args: cli.ExactArgs(),
	}
	breakGlass := c.Flags().Bool("break-glass", false, "give access when every administrator has lost it")
	name := c.Flags().String("user", "", "with --break-glass: email address or sub of the administrator who gets a new password")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *name != "" && !*breakGlass {
			return errors.New("--user needs --break-glass")
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		clock := node.NewClock(p.Now) // the servers compare the expiry with this clock
		if err := clock.Measure(ctx, db); err != nil {
			return fmt.Errorf("measure the database's clock: %w", err)
		}
		by := storage.By{From: cli.Origin(), At: clock.Now()}
		link, err := "", error(nil)
		if *breakGlass {
			link, err = p.openEmergency(ctx, settings, db, *name, by)
		} else {
			link, err = openSetup(ctx, settings, db, by)
		}
		if errors.Is(err, storage.ErrConflict) {
			return setupConflict(*breakGlass)
		}
		if err != nil {
			return err
		}
		p.Say("open the link within 30 minutes; it works once")
		if *asJSON {
			return p.WriteJSON(map[string]any{"url": link, "expires_at": by.At.Add(setupLifetime).UTC().Truncate(time.Second)})
		}
		_, err = fmt.Fprintln(p.Stdout, link)
		return err
	})
	return c
}

// setupConflict says which of the two kinds of link is possible.
func setupConflict(breakGlass bool) error {
	if breakGlass {
		return exit.New(exit.Conflict, errors.New("no emergency link can be created: there never was an administrator"), "create the first one with: signet setup-link")
	}
	return exit.New(
		exit.Conflict, errors.New("no setup link can be created: there is, or was, an administrator"),
		"create an administrator with: signet user create --email EMAIL --admin --password-stdin; if every administrator has lost access: signet setup-link --break-glass",
	)
}

// openEmergency opens an emergency link. name is the administrator who gets a new password; "":
// the link creates a new administrator.
func (p *program) openEmergency(ctx context.Context, c config.Config, db *storage.DB, name string, by storage.By) (string, error) {
	link, hash := interaction.NewSetupLink(c.Issuer)
	o := storage.EmergencyOpening{Hash: hash, HostUser: p.HostUser(), Until: by.At.Add(setupLifetime)}
	if name != "" {
		u, err := user.Find(ctx, db, name)
		if err != nil {
			return "", err
		}
		switch o.UserID = u.ID; {
		case !u.Admin:
			return "", exit.New(exit.Denied, fmt.Errorf("%s is not an administrator", user.DisplayName(u)), "make the user one with: signet user admin "+name+"; set a password with: signet user set-password "+name)
		case u.DisabledAt != 0:
			return "", exit.New(exit.Denied, fmt.Errorf("%s is disabled", user.DisplayName(u)), "enable the user with: signet user enable "+name)
		}
	}
	if err := db.OpenEmergencyLink(ctx, o, by); err != nil {
		return "", err
	}
	what := "the link creates a new administrator; other accounts do not change"
	if name != "" {
		what = "the link sets a new password for " + name + ", and ends all sessions and tokens of this account"
	}
	p.Say("%s", what)
	if name != "" {
		p.Say("if the passkeys or other second factors are lost too, remove them with: signet user reset-factors %s", name)
	}
	p.Say("all administrators see for 30 days that the link was created; an older emergency link is now invalid")
	return link, nil
}

func openSetup(ctx context.Context, c config.Config, db *storage.DB, by storage.By) (link string, err error) {
	link, hash := interaction.NewSetupLink(c.Issuer)
	return link, db.OpenSetup(ctx, hash, by.At.Add(setupLifetime), by)
}

// offerSetup prints a setup link if there is no administrator yet.
func (p *program) offerSetup(ctx context.Context, c config.Config, n *node.Node) error {
	link, err := openSetup(ctx, c, n.DB(), storage.By{From: storage.Origin{Actor: storage.ActorSystem}, At: n.Now()})
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, `
  There is no administrator yet. To create one, open this link within 30 minutes:

    %s

  It works once. For a new link, run: signet setup-link

`, link)
	return nil
}
