package user

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) updateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update EMAIL|SUB",
		Short: "Change a user",
		Long: `Change a user. Only the fields whose flags you pass change. A list flag replaces the
whole list, and an empty value ("") clears the field.

A new email address is not verified unless you pass --email-verified, and it signs the
user out everywhere. A new phone number is not verified unless you pass
--phone-number-verified. After --email, also with the same address, and after more
roles or groups the user can no longer undo earlier changes of the address. The groups of a connector do not change: they come from the
upstream at each sign-in.

--email-verified confirms that the address belongs to the user. If nobody has proven the
address before, another person may have set up the account, so its password,
identities, sessions, tokens and profile are deleted first. --keep keeps them.

If the address is unproven and the account has a password, identities, sessions or
tokens, roles and groups are only granted with --evict or --keep.`,
		Example: `  signet user update ada@example.com --name "Ada Lovelace" --role dev --role ops
  signet user update ada@example.com --email ada@example.org --email-verified`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	fields := addUserFlags(c)
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if !fields.apply(new(storage.User)) {
			return errors.New("pass at least one flag for a field to change")
		}
		return attached.check()
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		var draft storage.User
		fields.apply(&draft)
		if err := fields.check(draft, p.Now()); err != nil {
			return cli.RuleError(c, exit.FieldInvalid, err)
		}
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		revised, err := p.Directory(settings, db).ReviseUser(ctx, storage.UserRevision{
			UserID: u.ID, Verified: fields.emailVerified(), PhoneVerified: fields.phoneVerified(), Settle: c.Flags().Changed("email"),
			Unproven: attached.policy(), From: cli.Origin(),
			Revise: func(u *storage.User) error { fields.apply(u); return nil },
		})
		switch {
		case errors.Is(err, storage.ErrNoAddress):
			return exit.New(exit.NoAddress, fmt.Errorf("--email-verified: %s has no email address", u.ID), "")
		case errors.Is(err, storage.ErrNoPhone):
			return exit.New(exit.NoPhone, fmt.Errorf("--phone-number-verified: %s has no phone number", DisplayName(u)), "")
		case errors.Is(err, storage.ErrUnproven):
			return p.unprovenError(u, err, *asJSON)
		case err != nil:
			return cmp.Or(conflictError(draft, err), ErrorAbout(args[0], err))
		}
		if revised.EmailCanonical != u.EmailCanonical {
			p.Say("%s is signed out everywhere, because the email address has changed", revised.Email)
		}
		return p.showChanged(revised.User, revised.Evicted, *asJSON)
	})
	return c
}

// conflictError returns the error if another user has the email address, the
// preferred_username or the subject of u. It returns nil for other errors.
func conflictError(u storage.User, err error) error {
	if reserved, is := errors.AsType[*storage.AddressReservedError](err); is {
		return reservedError(reserved)
	}
	switch {
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("the user %s exists already", u.Email), "show the user with: signet user show "+u.Email)
	case errors.Is(err, storage.ErrSubjectTaken):
		return exit.New(exit.SubjectTaken, fmt.Errorf("another user has the subject %q, or a client has it as its id", u.ChosenSubject),
			"find the user with: signet user show "+u.ChosenSubject)
	case errors.Is(err, storage.ErrUsernameTaken):
		return exit.New(
			exit.UsernameTaken, fmt.Errorf("another user has the preferred_username %q or a similar one", u.PreferredUsername),
			"find the user with: signet user list --username "+u.PreferredUsername,
		)
	}
	return nil
}

// reservedError is the error for an address that another user had until lately. It names that user
// and the end of the reservation.
func reservedError(e *storage.AddressReservedError) error {
	return exit.New(exit.AddressReserved, fmt.Errorf("the email address %s belonged to the user %s, and that user can restore it until %s",
		e.Email, e.UserID, e.Until.Time().UTC().Format(time.RFC3339)), "")
}

func (p commands) adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin EMAIL|SUB",
		Short: "Give a user a role of administration, or remove it with --revoke",
		Long: `Give a user a role of administration of this server, or remove it with --revoke. A user
has one role or none, so a new one replaces the present one.

  admin     does everything (the default of --role)
  helpdesk  sees and changes users without a role of administration, their sessions
            and invitations, but no roles, groups and addresses
  auditor   sees everything except mails, and changes nothing

If the email address is unproven and the account has a password, an identity or a
session, the command stops and lists them, because another person may have set them up.
--evict deletes them first, --keep keeps them.`,
		Example: `  signet user admin ada@example.com
  signet user admin bob@example.com --role helpdesk
  signet user admin ada@example.com --revoke`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	role := c.Flags().String("role", string(storage.Administrator), "role of administration: admin, helpdesk or auditor")
	if err := c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(adminRoleNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // cannot happen: the flag exists
	}
	revoke := c.Flags().Bool("revoke", false, "remove the role of administration")
	attached := addAttachedFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error { return cmp.Or(checkAdminRole(c, *role, *revoke), attached.check()) })
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		var evicted storage.Attached
		if *revoke {
			err = p.Directory(settings, db).RevokeAdmin(ctx, u.ID, cli.Origin())
		} else {
			evicted, err = p.Directory(settings, db).GrantAdmin(ctx, u.ID, storage.AdminRole(*role), attached.policy(), cli.Origin())
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unprovenError(u, err, *asJSON)
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

func adminRoleNames() []string {
	var names []string
	for _, r := range storage.AdminRoles() {
		names = append(names, string(r))
	}
	return names
}

// checkAdminRole checks the flags of the command admin.
func checkAdminRole(c *cobra.Command, role string, revoke bool) error {
	switch {
	case revoke && c.Flags().Changed("role"):
		return errors.New("--revoke removes every role of administration: do not give --role with it")
	case !storage.AdminRole(role).IsAny():
		return fmt.Errorf("--role is %q: use %s", role, strings.Join(adminRoleNames(), ", "))
	}
	return nil
}

func (p commands) deleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete EMAIL|SUB",
		Short: "Delete a user permanently, with all data",
		Long: `Delete a user permanently, with the password, identities, sessions, tokens and consents.
The events keep the subject (sub), and no other user ever gets it. To lock a user out
temporarily, use: signet user disable.`,
		Args: cli.ExactArgs(EmailOrSubject),
	}
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
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
			return p.WriteJSON(directory.DescribeUser(u))
		}
		return nil
	})
	return c
}
