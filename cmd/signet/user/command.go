package user

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// Command gives the command `signet user` and those below it.
func Command(program *cli.Program) *cobra.Command {
	p := commands{program}
	c := &cobra.Command{Use: "user", Short: "Create, change and look at users"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.createCommand(), p.listCommand(), p.showCommand(), p.updateCommand(), p.passwordCommand(),
		p.disableCommand(), p.enableCommand(), p.signOutCommand(),
		p.adminCommand(), p.deleteCommand(), p.identityCommand())
	return c
}

func (p commands) createCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "create --email EMAIL --password-stdin",
		Short:   "Create a user",
		Example: "  signet user create --email ada@example.com --password-stdin < password.txt",
		Args:    cli.ExactArgs(),
	}
	given := addUserFlags(c)
	admin := c.Flags().Bool("admin", false, "the user may administer this server")
	password := passwordFlags(c)
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		if err := cli.RequireFlags(c, "email"); err != nil {
			return err
		}
		u := storage.User{Admin: *admin}
		given.onto(&u)
		if err := directory.CheckUser(&u, p.Now()); err != nil { // before the password is asked for
			return cli.RuleError(c, exit.FieldInvalid, namingFlag(err))
		}
		typed, err := password.read(p.Stdin)
		if err != nil {
			return cli.UsageError(c, err)
		}
		made, err := p.Directory(settings, db).CreateUser(ctx, u, typed, cli.Origin())
		if err != nil {
			return cmp.Or(takenByAnother(u, err), err)
		}
		if typed == "" {
			p.Say("the user has no password yet, and so cannot sign in with one")
		}
		if !made.EmailVerified {
			p.Say("nobody has proven that %s is this user's address: applications do not receive it, and the first proof of it, such as a sign-in "+
				"through an upstream that verifies it, deletes the password and everything else set up before; "+
				"if you know that it is the user's: signet user update %s --email-verified --keep", made.Email, made.Email)
		}
		return p.showUser(made, *asJSON)
	})
	return c
}

func (p commands) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the users by e-mail, and then those without one",
		Example: `  signet user list --email ada
  signet user list --admin --json
  signet user list --limit 100 --after ada@example.com`,
		Args: cli.ExactArgs(),
	}
	var f storage.UserFilter
	flags := c.Flags()
	flags.StringVar(&f.Email, "email", "", "only those whose e-mail begins with this")
	flags.BoolVar(&f.Admins, "admin", false, "only administrators")
	flags.BoolVar(&f.Disabled, "disabled", false, "only those who are disabled")
	flags.StringVar(&f.Username, "username", "", "only the user who holds this preferred_username, or one that looks like it")
	flags.BoolVar(&f.Clashing, "clashing-username", false, "only those whose preferred_username another user holds, so that no application is told it")
	flags.StringVar(&f.After, "after", "", "only those behind this e-mail, or sub of a user without one: the last of the page before")
	limit := flags.Int("limit", 0, "at most so many; 0 is all")
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		if *limit < 0 {
			return cli.UsageError(c, fmt.Errorf("--limit %d: want 1 or more, or 0 for all", *limit))
		}
		users, err := manyUsers(ctx, db, f, *limit)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if *limit > 0 && len(users) == *limit {
			p.Say("there may be more: --after %s", users[*limit-1].ListPosition())
		}
		if *asJSON {
			described := []document{} // never null
			for _, u := range users {
				described = append(described, describeUser(u))
			}
			return p.WriteJSON(map[string]any{"users": described})
		}
		switch {
		case len(users) == 0 && f == (storage.UserFilter{}):
			p.Say("there are no users yet: signet user create --email EMAIL --password-stdin")
			return nil
		case len(users) == 0:
			p.Say("no user is like that")
			return nil
		}
		rows := [][]string{{"SUB", "EMAIL", "NAME", "STATE"}}
		for _, u := range users {
			rows = append(rows, []string{u.ID, u.Email, u.Name, userState(u)})
		}
		return p.WriteTable(rows)
	})
	return c
}

// manyUsers reads up to limit users, page by page; 0 for all.
func manyUsers(ctx context.Context, db *storage.DB, f storage.UserFilter, limit int) ([]storage.User, error) {
	const page = 500
	var users []storage.User
	for {
		size := page
		if limit > 0 {
			size = min(page, limit-len(users))
		}
		more, err := db.Users(ctx, f, size)
		if err != nil {
			return nil, err
		}
		users = append(users, more...)
		if len(more) < size || len(users) == limit {
			return users, nil
		}
		f.After = more[size-1].ListPosition()
	}
}

func (p commands) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show EMAIL|SUB",
		Short:   "Show one user, with factors and identities",
		Example: "  signet user show ada@example.com --json",
		Args:    cli.ExactArgs(EmailOrSubject),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		attached, err := db.AttachedTo(ctx, u.ID, p.Now())
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		described := describeAttached(attached)
		if *asJSON {
			return p.WriteJSON(append(describeUser(u), described.members()...))
		}
		return p.WriteTable(append(userRows(u), described.rows()...))
	})
	return c
}
