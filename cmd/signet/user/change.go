package user

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/storage"
)

func (p commands) updateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update EMAIL|SUB",
		Short: "Change a user",
		Long: `Change a user. Only what is named changes; a list is replaced by what is given, and an
empty value ("") takes away what was there. A new e-mail counts as not verified unless
--email-verified, and signs the user out everywhere. A new phone number counts as not
verified unless --phone-number-verified. Groups that a connector brings are not touched:
they follow what the upstream says at each sign-in.

--email-verified says that you know whose the address is. If nobody has proven the
address before, everything that is attached to the account is deleted first: password,
identities, sessions, tokens, profile. Somebody else may have set it up. --keep keeps
it; you vouch for it then. Roles and groups are not given to an account whose address
is only claimed and that has something attached, unless --evict or --keep says what
becomes of it.`,
		Example: `  signet user update ada@example.com --name "Ada Lovelace" --role dev --role ops
  signet user update ada@example.com --email ada@example.org --email-verified`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	given := addUserFlags(c)
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		var named storage.User
		if !given.onto(&named) {
			return cli.UsageError(c, errors.New("nothing is named that should change"))
		}
		unproven, err := attached.read()
		if err != nil {
			return cli.UsageError(c, err)
		}
		if err := given.check(named, p.Now()); err != nil {
			return cli.RuleError(c, exit.FieldInvalid, err)
		}
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		revised, err := p.Directory(settings, db).ReviseUser(ctx, storage.UserRevision{
			UserID: u.ID, Verified: given.emailVerified(), PhoneVerified: given.phoneVerified(), Unproven: unproven, From: cli.Origin(),
			Revise: func(u *storage.User) error { given.onto(u); return nil },
		})
		switch {
		case errors.Is(err, storage.ErrNoAddress):
			return exit.New(exit.NoAddress, fmt.Errorf("--email-verified: %s has no address", u.ID), "give one with --email")
		case errors.Is(err, storage.ErrNoPhone):
			return exit.New(exit.NoPhone, fmt.Errorf("--phone-number-verified: %s has no phone number", DisplayName(u)), "give one with --phone-number")
		case errors.Is(err, storage.ErrUnproven):
			return p.unproven(u, err, *asJSON)
		case err != nil:
			return cmp.Or(takenByAnother(named, err), ErrorAbout(args[0], err))
		}
		if revised.EmailCanonical != u.EmailCanonical {
			p.Say("%s is signed out everywhere: the e-mail has changed", revised.Email)
		}
		return p.showChanged(revised.User, revised.Evicted, *asJSON)
	})
	return c
}

// takenByAnother answers that another user has the e-mail or the preferred_username of u.
// It is nil for other errors.
func takenByAnother(u storage.User, err error) error {
	switch {
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("there is a user %s already", u.Email), "look at it with: signet user show "+u.Email)
	case errors.Is(err, storage.ErrUsernameTaken):
		return exit.New(
			exit.UsernameTaken, fmt.Errorf("another user has the preferred_username %q, or one that looks like it", u.PreferredUsername),
			"find the user with: signet user list --username "+u.PreferredUsername,
		)
	}
	return nil
}

func (p commands) adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin EMAIL|SUB",
		Short: "Let a user administer this server, or with --revoke no more",
		Long: `Let a user administer this server, or with --revoke no more. This proves no address:
where the address is only claimed and something is attached to the account (a password,
an identity, a session), the command stops and lists it. --evict deletes it first,
--keep keeps it.`,
		Example: `  signet user admin ada@example.com
  signet user admin ada@example.com --revoke`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	revoke := c.Flags().Bool("revoke", false, "the user may no more")
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		unproven, err := attached.read()
		if err != nil {
			return cli.UsageError(c, err)
		}
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		var evicted storage.Attached
		if *revoke {
			err = p.Directory(settings, db).RevokeAdmin(ctx, u.ID, cli.Origin())
		} else {
			evicted, err = p.Directory(settings, db).GrantAdmin(ctx, u.ID, unproven, cli.Origin())
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unproven(u, err, *asJSON)
		}
		if err == nil {
			u, err = db.User(ctx, u.ID)
		}
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		p.Say("%s is %s", DisplayName(u), userState(u))
		return p.showChanged(u, evicted, *asJSON)
	})
	return c
}

func (p commands) deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete EMAIL|SUB",
		Short: "Delete a user for good, with all it has",
		Long: `Delete a user for good, with its password, identities, sessions, tokens and consents.
The events keep its subject (sub), which nobody else is ever given. To keep somebody
out and change your mind later: signet user disable.`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	yes := c.Flags().Bool("yes", false, "do not ask")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			if err := p.Confirm(c, "Deleting "+DisplayName(u)+" cannot be undone.", "that name", func(typed string) bool { return typed == DisplayName(u) }); err != nil {
				return err
			}
		}
		if err := p.Directory(settings, db).DeleteUser(ctx, u.ID, cli.Origin()); err != nil {
			return ErrorAbout(args[0], err)
		}
		p.Say("%s is deleted", DisplayName(u))
		if *asJSON {
			return p.WriteJSON(describeUser(u))
		}
		return nil
	})
	return c
}
