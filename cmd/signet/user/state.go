package user

import (
	"context"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) disableCommand() *cobra.Command {
	return p.switchCommand("disable", "Disable a user: all sessions and tokens end now, and the user cannot sign in", (*directory.Directory).DisableUser)
}

func (p commands) enableCommand() *cobra.Command {
	return p.switchCommand("enable", "Enable a disabled user; ended sessions and tokens stay ended", (*directory.Directory).EnableUser)
}

// switchCommand returns the command disable or enable, which calls act.
func (p commands) switchCommand(verb, short string, act func(*directory.Directory, context.Context, string, storage.Origin) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " EMAIL|SUB", Short: short, Example: "  signet user " + verb + " ada@example.com", Args: cli.ExactArgs(EmailOrSubject)}
	p.changeOneUser(c, func(ctx context.Context, settings config.Config, db *storage.DB, u storage.User) error {
		return act(p.Directory(settings, db), ctx, u.ID, cli.Origin())
	}, func(u storage.User) {
		p.Say("%s is %s", DisplayName(u), userState(u))
	})
	return c
}

func (p commands) signOutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign-out EMAIL|SUB",
		Short: "Sign a user out everywhere",
		Long: `Sign a user out everywhere: all sessions and tokens end, including those for offline
access. To end a single session, use: signet session end.`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	p.changeOneUser(c, func(ctx context.Context, _ config.Config, db *storage.DB, u storage.User) error {
		return db.SignOutEverywhere(ctx, u.ID, cli.ByAdministrator, storage.By{From: cli.Origin(), At: p.Now()})
	}, func(u storage.User) {
		p.Say("%s is signed out everywhere", DisplayName(u))
	})
	return c
}

// changeOneUser makes c find its user, run change, print a message with say and show the changed
// user.
func (p commands) changeOneUser(c *cobra.Command, change func(context.Context, config.Config, *storage.DB, storage.User) error, say func(storage.User)) {
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		if err := change(ctx, settings, db, u); err != nil {
			return ErrorAbout(args[0], err)
		}
		if u, err = db.User(ctx, u.ID); err != nil {
			return ErrorAbout(args[0], err)
		}
		say(u)
		return p.showUser(u, *asJSON)
	})
}
