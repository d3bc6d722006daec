package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/storage"
)

func (p commands) identityCommand() *cobra.Command {
	c := &cobra.Command{Use: "identity", Short: "Take an upstream's identity away from a user"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.identityRemoveCommand())
	return c
}

func (p commands) identityRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove EMAIL|SUB CONNECTOR[:SUBJECT]",
		Short: "Disconnect an identity from a user, and end what it opened",
		Long: `Disconnect an identity from a user: nobody signs in to this account through it any
more. The sessions that it opened end, and so does the access of applications that
they opened, offline access too. Sessions that the user opened in another way go on.

signet user show lists the identities. The subject, which is the upstream's name for
the person, is needed only where the user has several identities of one connector.`,
		Example: `  signet user identity remove ada@example.com github
  signet user identity remove ada@example.com github:583231`,
		Args: cli.ExactArgs(EmailOrSubject, "the connector of the identity"),
	}
	issuer := c.Flags().String("issuer", "", "issuer of the identity, where the connector has had several")
	last := c.Flags().Bool("yes", false, "remove it even if it is the user's last way to sign in")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		list, err := db.IdentitiesOf(ctx, u.ID)
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		identity, err := p.pickIdentity(c, u, list, args[1], *issuer)
		if err != nil {
			return err
		}
		err = db.UnlinkIdentity(ctx, storage.IdentityRemoval{
			Identity: identity, Connectors: connectorIDs(settings), AllowLast: *last, From: cli.Origin(),
		}, p.Now())
		switch {
		case errors.Is(err, storage.ErrConflict):
			return exit.New(
				exit.LastWayIn, fmt.Errorf("%s has no other way to sign in; nothing was changed", DisplayName(u)),
				"give a password first with: signet user set-password "+DisplayName(u)+" --password-stdin; or say --yes to remove it all the same",
			)
		case errors.Is(err, storage.ErrNotFound):
			return noIdentity(u, args[1])
		case err != nil:
			return ErrorAbout(args[0], err)
		}
		p.Say("%s is disconnected from %s; what it opened has ended", identity.Connector+":"+foreign.ForTerminal(identity.Subject), DisplayName(u))
		if *asJSON {
			return p.WriteJSON(describeIdentity(identity))
		}
		return nil
	})
	return c
}

// pickIdentity finds the one identity that CONNECTOR or CONNECTOR:SUBJECT names.
func (p commands) pickIdentity(c *cobra.Command, u storage.User, list []storage.Identity, name, issuer string) (storage.Identity, error) {
	found := slices.DeleteFunc(slices.Clone(list), func(i storage.Identity) bool {
		return name != i.Connector && name != IdentityName(i) || issuer != "" && issuer != i.Issuer
	})
	switch len(found) {
	case 0:
		return storage.Identity{}, noIdentity(u, name)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, i := range found {
		names = append(names, foreign.ForTerminal(fmt.Sprintf("%s at %s", IdentityName(i), i.Issuer)))
	}
	return storage.Identity{}, exit.New(exit.AmbiguousName, fmt.Errorf("%s has several such identities: %s", DisplayName(u), strings.Join(names, ", ")),
		"name one with CONNECTOR:SUBJECT, and --issuer if need be")
}

func noIdentity(u storage.User, name string) error {
	return exit.New(
		exit.NotFound, fmt.Errorf("%s has no identity %q", DisplayName(u), name),
		"list the identities with: signet user show "+DisplayName(u),
	)
}

// IdentityName is how commands name an identity of a user.
func IdentityName(i storage.Identity) string { return i.Connector + ":" + i.Subject }

func connectorIDs(c config.Config) []string {
	var ids []string
	for _, connector := range c.Connectors {
		ids = append(ids, connector.ID)
	}
	return ids
}
