package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/exit"
	"signet/storage"
)

// userFlags are the flags of what an administrator sets of a user: each writes what
// was given into the user.
type userFlags struct {
	flags *pflag.FlagSet
	set   map[string]func(*storage.User)
}

func addUserFlags(c *cobra.Command) userFlags {
	f := userFlags{c.Flags(), map[string]func(*storage.User){}}
	text := func(name, about string, field func(*storage.User) *string) {
		value := f.flags.String(name, "", about)
		f.set[name] = func(u *storage.User) { *field(u) = *value }
	}
	list := func(name, about string, field func(*storage.User) *[]string) {
		value := f.flags.StringArray(name, nil, about)
		f.set[name] = func(u *storage.User) { *field(u) = withoutEmpty(*value) }
	}
	text("email", "address to sign in with and to write to", func(u *storage.User) *string { return &u.Email })
	verified := f.flags.Bool("email-verified", false, "you know that the address is the user's: it counts as proven")
	f.set["email-verified"] = func(u *storage.User) { u.EmailVerified = *verified }
	text("name", "full name", func(u *storage.User) *string { return &u.Name })
	text("given-name", "given name", func(u *storage.User) *string { return &u.GivenName })
	text("family-name", "family name", func(u *storage.User) *string { return &u.FamilyName })
	text("preferred-username", "user name that applications are told: letters and digits, unlike any other user's; nobody signs in with it", func(u *storage.User) *string { return &u.PreferredUsername })
	text("locale", "language, such as de-CH", func(u *storage.User) *string { return &u.Locale })
	text("zoneinfo", "time zone, such as Europe/Zurich", func(u *storage.User) *string { return &u.Zoneinfo })
	list("role", "role to have (repeat for more)", func(u *storage.User) *[]string { return &u.Roles })
	list("group", "group to be in (repeat for more)", func(u *storage.User) *[]string { return &u.Groups })
	return f
}

// withoutEmpty lets an empty value alone stand for no value.
func withoutEmpty(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// onto writes what was given, and reports whether anything was.
func (f userFlags) onto(u *storage.User) (given bool) {
	for name, set := range f.set {
		if f.flags.Changed(name) {
			set(u)
			given = true
		}
	}
	return given
}

// verified is what was said of the address; nil for nothing.
func (f userFlags) verified() *bool {
	if !f.flags.Changed("email-verified") {
		return nil
	}
	var u storage.User
	f.set["email-verified"](&u)
	return &u.EmailVerified
}

func (p *program) userUpdateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "update EMAIL|SUB",
		Short: "Change a user",
		Long: `Change a user. Only what is named changes; a list is replaced by what is given, and an
empty value ("") takes away what was there. A new e-mail counts as not verified unless
--email-verified, and signs the user out everywhere.

--email-verified says that you know whose the address is. If nobody has proven the
address before, everything that is attached to the account is deleted first: password,
identities, sessions, tokens, profile. Somebody else may have set it up. --keep keeps
it; you vouch for it then. Roles and groups are not given to an account whose address
is only claimed and that has something attached, unless --evict or --keep says what
becomes of it.`,
		Example: `  signet user update ada@example.com --name "Ada Lovelace" --role dev --role ops
  signet user update ada@example.com --email ada@example.org --email-verified`,
		Args: exactly(whichUser),
	}
	given := addUserFlags(c)
	attached := addAttachedFlags(c)
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		var named storage.User
		if !given.onto(&named) {
			return usage(c, errors.New("nothing is named that should change"))
		}
		if _, err := storage.CanonicalEmail(named.Email); c.Flags().Changed("email") && err != nil {
			return usage(c, fmt.Errorf("--email %q: %w", named.Email, err))
		}
		unproven, err := attached.read()
		if err != nil {
			return usage(c, err)
		}
		if err := checkUsername(named); err != nil {
			return usage(c, err)
		}
		u, err := findUser(ctx, db, args[0])
		if err != nil {
			return err
		}
		if verified := given.verified(); verified != nil && *verified && u.Email == "" && named.Email == "" {
			return usage(c, fmt.Errorf("--email-verified: %s has no address; give one with --email", u.ID))
		}
		revised, err := db.ReviseUser(ctx, storage.Revision{
			UserID: u.ID, Verified: given.verified(), Unproven: unproven, From: fromCommandLine(),
			Revise: func(u *storage.User) error { given.onto(u); return nil },
		}, p.now())
		if errors.Is(err, storage.ErrConflict) {
			return emailTaken(named.Email)
		}
		if errors.Is(err, storage.ErrUsernameTaken) {
			return usernameTaken(named.PreferredUsername)
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unproven(u, err, *asJSON)
		}
		if err != nil {
			return aboutUser(args[0], err)
		}
		if revised.EmailCanonical != u.EmailCanonical {
			p.say("%s is signed out everywhere: the e-mail has changed", revised.Email)
		}
		return p.showChanged(revised.User, revised.Evicted, *asJSON)
	})
	return c
}

func emailTaken(email string) error {
	return exit.New(exit.Conflict, fmt.Errorf("there is a user %s already", email), "look at it with: signet user show "+email)
}

// checkUsername refuses a preferred_username that cannot be compared with others.
func checkUsername(u storage.User) error {
	if u.PreferredUsername != "" && storage.FoldUsername(u.PreferredUsername) == "" {
		return fmt.Errorf("--preferred-username %q has no letter or digit", u.PreferredUsername)
	}
	return nil
}

func usernameTaken(name string) error {
	return exit.New(
		exit.Conflict, fmt.Errorf("another user has the preferred_username %q, or one that looks like it", name),
		"find the user with: signet user list --username "+name,
	)
}

func (p *program) userAdminCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin EMAIL|SUB",
		Short: "Let a user administer this server, or with --revoke no more",
		Long: `Let a user administer this server, or with --revoke no more. This proves no address:
where the address is only claimed and something is attached to the account (a password,
an identity, a session), the command stops and lists it. --evict deletes it first,
--keep keeps it.`,
		Example: `  signet user admin ada@example.com
  signet user admin ada@example.com --revoke`,
		Args: exactly(whichUser),
	}
	revoke := c.Flags().Bool("revoke", false, "the user may no more")
	attached := addAttachedFlags(c)
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		unproven, err := attached.read()
		if err != nil {
			return usage(c, err)
		}
		u, err := findUser(ctx, db, args[0])
		if err != nil {
			return err
		}
		by := storage.By{From: fromCommandLine(), At: p.now()}
		var evicted storage.Attached
		if *revoke {
			err = db.RevokeAdmin(ctx, u.ID, by)
		} else {
			evicted, err = db.GrantAdmin(ctx, u.ID, unproven, by)
		}
		if errors.Is(err, storage.ErrUnproven) {
			return p.unproven(u, err, *asJSON)
		}
		if err == nil {
			u, err = db.User(ctx, u.ID)
		}
		if err != nil {
			return aboutUser(args[0], err)
		}
		p.say("%s is %s", calledUser(u), userState(u))
		return p.showChanged(u, evicted, *asJSON)
	})
	return c
}

func (p *program) userDeleteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delete EMAIL|SUB",
		Short: "Delete a user for good, with all it has",
		Long: `Delete a user for good, with its password, identities, sessions, tokens and consents.
The events keep its subject (sub), which nobody else is ever given. To keep somebody
out and change your mind later: signet user disable.`,
		Args: exactly(whichUser),
	}
	yes := c.Flags().Bool("yes", false, "do not ask")
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, args []string) error {
		u, err := findUser(ctx, db, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			if err := p.confirm(c, "Deleting "+calledUser(u)+" cannot be undone.", "that name", func(typed string) bool { return typed == calledUser(u) }); err != nil {
				return err
			}
		}
		if err := db.DeleteUser(ctx, u.ID, storage.By{From: fromCommandLine(), At: p.now()}); err != nil {
			return aboutUser(args[0], err)
		}
		p.say("%s is deleted", calledUser(u))
		if *asJSON {
			return p.writeJSON(describeUser(u))
		}
		return nil
	})
	return c
}
