package main

import (
	"context"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

// byAdministrator is the reason in the events of what a command ends.
const byAdministrator = "by_administrator"

func (p *program) userDisableCommand() *cobra.Command {
	return p.userSwitchCommand("disable", "Keep a user out: no sign-in, and every session and token ends now", (*directory.Directory).DisableUser)
}

func (p *program) userEnableCommand() *cobra.Command {
	return p.userSwitchCommand("enable", "Let a user sign in again; what ended stays ended", (*directory.Directory).EnableUser)
}

// userSwitchCommand is disable or enable, which is what act does.
func (p *program) userSwitchCommand(verb, about string, act func(*directory.Directory, context.Context, string, storage.Origin) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " EMAIL|SUB", Short: about, Example: "  signet user " + verb + " ada@example.com", Args: exactly(whichUser)}
	p.aboutOneUser(c, func(ctx context.Context, settings config.Config, db *storage.DB, u storage.User) error {
		return act(p.directory(settings, db), ctx, u.ID, fromCommandLine())
	}, func(u storage.User) {
		p.say("%s is %s", calledUser(u), userState(u))
	})
	return c
}

func (p *program) userSignOutCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sign-out EMAIL|SUB",
		Short: "Sign a user out everywhere",
		Long: `Sign a user out everywhere: every session and every token ends, those for offline
access too. To end one session: signet session end.`,
		Args: exactly(whichUser),
	}
	p.aboutOneUser(c, func(ctx context.Context, _ config.Config, db *storage.DB, u storage.User) error {
		return db.SignOutEverywhere(ctx, u.ID, byAdministrator, storage.By{From: fromCommandLine(), At: p.now()})
	}, func(u storage.User) {
		p.say("%s is signed out everywhere", calledUser(u))
	})
	return c
}

// aboutOneUser makes c find its user, do something, say what came of it and show
// the user as it is then.
func (p *program) aboutOneUser(c *cobra.Command, do func(context.Context, config.Config, *storage.DB, storage.User) error, say func(storage.User)) {
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := findUser(ctx, db, args[0])
		if err != nil {
			return err
		}
		if err := do(ctx, settings, db, u); err != nil {
			return aboutUser(args[0], err)
		}
		if u, err = db.User(ctx, u.ID); err != nil {
			return aboutUser(args[0], err)
		}
		say(u)
		return p.showUser(u, *asJSON)
	})
}
