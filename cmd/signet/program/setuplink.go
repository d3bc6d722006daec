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
	"signet/provider/interaction"
	"signet/storage"
)

// setupLifetime is the life of a setup link.
const setupLifetime = 30 * time.Minute

func (p *program) setupLinkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup-link",
		Short: "Print a link that creates the first administrator",
		Long: `Print a link to the page on which the first administrator chooses a name and a
password. The link works once, within 30 minutes, on every node. While there is no
administrator, the server prints such a link at each start. As soon as there is an
administrator, all links are invalid. To create another one, use:
signet user create --admin.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if err := settings.RequireIssuer(); err != nil {
			return err
		}
		at := p.Now()
		link, err := openSetup(ctx, settings, db, storage.By{From: cli.Origin(), At: at})
		if errors.Is(err, storage.ErrConflict) {
			return exit.New(
				exit.Conflict, errors.New("no setup link can be created: there is, or was, an administrator"),
				"create an administrator with: signet user create --email EMAIL --admin --password-stdin",
			)
		}
		if err != nil {
			return err
		}
		p.Say("open the link within 30 minutes; it works once")
		if *asJSON {
			return p.WriteJSON(map[string]any{"url": link, "expires_at": at.Add(setupLifetime).UTC().Truncate(time.Second)})
		}
		_, err = fmt.Fprintln(p.Stdout, link)
		return err
	})
	return c
}

func openSetup(ctx context.Context, c config.Config, db *storage.DB, by storage.By) (link string, err error) {
	link, hash := interaction.NewSetupLink(c.Issuer)
	return link, db.OpenSetup(ctx, hash, by.At.Add(setupLifetime), by)
}

// offerSetup prints a setup link if there is no administrator yet.
func (p *program) offerSetup(ctx context.Context, c config.Config, n *node.Node) error {
	link, err := openSetup(ctx, c, n.DB(), storage.By{From: storage.Origin{Actor: "system"}, At: n.Now()})
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
