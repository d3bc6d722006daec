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

// setupFor is how long a set-up link is good.
const setupFor = 30 * time.Minute

func (p *program) setupLinkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup-link",
		Short: "Print a link by which the first administrator is made",
		Long: `Print a link to the page on which the first administrator chooses a name and a
password. It works once, within 30 minutes, on every node; the server prints one at
each start while there is no administrator. As soon as there is one, however it was
made, no link works any more: others are made with signet user create --admin.`,
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
				exit.Conflict, errors.New("there is an administrator already, or there was: set-up is closed"),
				"make another with: signet user create --email EMAIL --admin --password-stdin",
			)
		}
		if err != nil {
			return err
		}
		p.Say("open it within 30 minutes; it works once")
		if *asJSON {
			return p.WriteJSON(map[string]any{"url": link, "expires_at": at.Add(setupFor).UTC().Truncate(time.Second)})
		}
		_, err = fmt.Fprintln(p.Stdout, link)
		return err
	})
	return c
}

func openSetup(ctx context.Context, c config.Config, db *storage.DB, by storage.By) (link string, err error) {
	link, hash := interaction.NewSetupLink(c.Issuer)
	return link, db.OpenSetup(ctx, hash, by.At.Add(setupFor), by)
}

// offerSetup shows whoever starts a server without an administrator how to make one.
func (p *program) offerSetup(ctx context.Context, c config.Config, n *node.Node) error {
	link, err := openSetup(ctx, c, n.DB(), storage.By{From: storage.Origin{Actor: "system"}, At: n.Now()})
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, `
  There is no administrator yet. To make one, open this link within 30 minutes:

    %s

  It works once. Another: signet setup-link

`, link)
	return nil
}
