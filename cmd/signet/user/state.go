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
	return p.switchCommand("disable", "Keep a user out: no sign-in, and every session and token ends now", (*directory.Directory).DisableUser)
}

func (p commands) enableCommand() *cobra.Command {
	return p.switchCommand("enable", "Let a user sign in again; what ended stays ended", (*directory.Directory).EnableUser)
}

// userSwitchCommand is disable or enable, which is what act does.
func (p commands) switchCommand(verb, about string, act func(*directory.Directory, context.Context, string, storage.Origin) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " EMAIL|SUB", Short: about, Example: "  signet user " + verb + " ada@example.com", Args: cli.ExactArgs(EmailOrSubject)}
	p.aboutOneUser(c, func(ctx context.Context, settings config.Config, db *storage.DB, u storage.User) error {
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
		Long: `Sign a user out everywhere: every session and every token ends, those for offline
access too. To end one session: signet session end.`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	p.aboutOneUser(c, func(ctx context.Context, _ config.Config, db *storage.DB, u storage.User) error {
		return db.SignOutEverywhere(ctx, u.ID, cli.ByAdministrator, storage.By{From: cli.Origin(), At: p.Now()})
	}, func(u storage.User) {
		p.Say("%s is signed out everywhere", DisplayName(u))
	})
	return c
}

// aboutOneUser makes c find its user, do something, say what came of it and show
// the user as it is then.
func (p commands) aboutOneUser(c *cobra.Command, do func(context.Context, config.Config, *storage.DB, storage.User) error, say func(storage.User)) {
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		if err := do(ctx, settings, db, u); err != nil {
			return ErrorAbout(args[0], err)
		}
		if u, err = db.User(ctx, u.ID); err != nil {
			return ErrorAbout(args[0], err)
		}
		say(u)
		return p.showUser(u, *asJSON)
	})
}
