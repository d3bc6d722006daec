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
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) identityCommand() *cobra.Command {
	c := &cobra.Command{Use: "identity", Short: "Disconnect a user from an upstream"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.identityRemoveCommand())
	return c
}

func (p commands) identityRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove EMAIL|SUB CONNECTOR[:SUBJECT]",
		Short: "Remove an identity from a user, and end its sessions",
		Long: `Remove an identity from a user, so that it can no longer sign in to this account. The
sessions that were opened with it end, and so does the access of applications through
these sessions, including offline access. Other sessions of the user continue.

To list the identities, use: signet user show. The subject is the upstream's id of the
person. It is only needed if the user has several identities of one connector.`,
		Example: `  signet user identity remove ada@example.com github
  signet user identity remove ada@example.com github:583231`,
		Args: cli.ExactArgs(EmailOrSubject, "the connector of the identity"),
	}
	issuer := c.Flags().String("issuer", "", "issuer of the identity, if the connector has had several")
	removeLast := c.Flags().Bool("yes", false, "remove the identity even if it is the user's last way to sign in")
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
			Identity: identity, Connectors: connectorIDs(settings), AllowLast: *removeLast, From: cli.Origin(),
		}, p.Now())
		switch {
		case errors.Is(err, storage.ErrConflict):
			return exit.New(
				exit.LastWayIn, fmt.Errorf("%s has no other way to sign in; nothing was changed", DisplayName(u)),
				"set a password first with: signet user set-password "+DisplayName(u)+" --password-stdin; or pass --yes to remove the identity anyway",
			)
		case errors.Is(err, storage.ErrNotFound):
			return noIdentity(u, args[1])
		case err != nil:
			return ErrorAbout(args[0], err)
		}
		p.Say("%s is removed from %s; the sessions and the access that it opened have ended", identity.Connector+":"+foreign.ForTerminal(identity.Subject), DisplayName(u))
		if *asJSON {
			return p.WriteJSON(directory.DescribeIdentity(identity))
		}
		return nil
	})
	return c
}

// pickIdentity returns the only identity that matches CONNECTOR or CONNECTOR:SUBJECT.
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
	return storage.Identity{}, exit.New(exit.AmbiguousName, fmt.Errorf("%s has several matching identities: %s", DisplayName(u), strings.Join(names, ", ")),
		"name one as CONNECTOR:SUBJECT, and pass --issuer if needed")
}

func noIdentity(u storage.User, name string) error {
	return exit.New(
		exit.NotFound, fmt.Errorf("%s has no identity %q", DisplayName(u), name),
		"list the identities with: signet user show "+DisplayName(u),
	)
}

// IdentityName returns the name of an identity on the command line: CONNECTOR:SUBJECT.
func IdentityName(i storage.Identity) string { return i.Connector + ":" + i.Subject }

func connectorIDs(c config.Config) []string {
	var ids []string
	for _, connector := range c.Connectors {
		ids = append(ids, connector.ID)
	}
	return ids
}
