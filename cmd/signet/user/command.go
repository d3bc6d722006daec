package user

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// Command returns the command `signet user` with its subcommands.
func Command(program *cli.Program) *cobra.Command {
	p := commands{program}
	c := &cobra.Command{Use: "user", Short: "Create, show and change users"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.createCommand(), p.listCommand(), p.showCommand(), p.updateCommand(), p.passwordCommand(), p.linkCommand(), p.inviteCommand(), p.invitationCommand(),
		p.disableCommand(), p.enableCommand(), p.signOutCommand(),
		p.adminCommand(), p.deleteCommand(), p.identityCommand(), p.factorsCommand(), p.resetFactorsCommand())
	return c
}

func (p commands) createCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "create --email EMAIL --password-stdin",
		Short:   "Create a user",
		Example: "  signet user create --email ada@example.com --password-stdin < password.txt",
		Args:    cli.ExactArgs(),
	}
	fields := addUserFlags(c)
	admin := c.Flags().Bool("admin", false, "make the user an administrator of this server")
	subject := c.Flags().String("subject", "", "subject (sub) of the user at applications, such as that of a former system; it cannot change later (default: the id of the user)")
	password := passwordFlags(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error { return cmp.Or(cli.RequireFlags(c, "email"), password.check()) })
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		u := storage.User{Admin: *admin, ChosenSubject: *subject}
		fields.apply(&u)
		if err := directory.CheckUser(&u, p.Now()); err != nil { // before the password is read
			return cli.RuleError(c, exit.FieldInvalid, withFlagName(err))
		}
		typed, err := password.read(p.Stdin)
		if err != nil {
			return cli.UsageError(c, err)
		}
		created, err := p.Directory(settings, db).CreateUser(ctx, u, typed, cli.Origin())
		if err != nil {
			return cmp.Or(conflictError(u, err), err)
		}
		if typed == "" {
			p.Say("the user has no password yet, so cannot sign in with a password; to set one, run: signet user set-password %s --password-stdin < FILE", created.Email)
		}
		if !created.EmailVerified {
			p.Say("the email address %s is unproven: applications do not receive it, and the first proof, such as a sign-in through an "+
				"upstream that verifies it, deletes the password and everything else that was set up before; "+
				"if you know that it belongs to the user, run: signet user update %s --email-verified --keep", created.Email, created.Email)
		}
		return p.showUser(created, *asJSON)
	})
	return c
}

func (p commands) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the users, sorted by email address; users without one come last",
		Example: `  signet user list --email ada
  signet user list --admin --json
  signet user list --limit 100 --after ada@example.com`,
		Args: cli.ExactArgs(),
	}
	var f storage.UserFilter
	flags := c.Flags()
	flags.StringVar(&f.Email, "email", "", "only users whose email address begins with this")
	flags.BoolVar(&f.Admins, "admin", false, "only users with a role of administration")
	flags.BoolVar(&f.Disabled, "disabled", false, "only disabled users")
	flags.StringVar(&f.Username, "username", "", "only the user with this preferred_username or a similar one")
	flags.BoolVar(&f.Clashing, "clashing-username", false, "only users whose preferred_username another user has too; applications do not receive such a name")
	flags.StringVar(&f.After, "after", "", "only users after this one: the email address (or sub) of the last user on the previous page")
	limit := flags.Int("limit", 0, "maximum number of users; 0 for all")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *limit < 0 {
			return fmt.Errorf("--limit is %d: use 1 or more, or 0 for all", *limit)
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		users, err := listUsers(ctx, db, f, *limit)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if *limit > 0 && len(users) == *limit {
			p.Say("there may be more users; continue with: --after %s", users[*limit-1].ListPosition())
		}
		if *asJSON {
			described := []directory.UserDocument{} // never null
			for _, u := range users {
				described = append(described, directory.DescribeUser(u))
			}
			return p.WriteJSON(map[string]any{"users": described})
		}
		switch {
		case len(users) == 0 && f == (storage.UserFilter{}):
			p.Say("there are no users yet; create one with: signet user create --email EMAIL --password-stdin")
			return nil
		case len(users) == 0:
			p.Say("no user matches")
			return nil
		}
		rows := [][]string{{"SUB", "EMAIL", "NAME", "STATE"}}
		for _, u := range users {
			rows = append(rows, []string{u.PublicSubject(), u.Email, u.Name, userState(u)})
		}
		return p.WriteTable(rows)
	})
	return c
}

// listUsers reads up to limit users page by page, or all if limit is 0.
func listUsers(ctx context.Context, db *storage.DB, f storage.UserFilter, limit int) ([]storage.User, error) {
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
			return p.WriteJSON(struct {
				directory.UserDocument
				DescribedAttached
				AlwaysAsk bool `json:"always_ask"`
			}{directory.DescribeUser(u), described, u.AlwaysAskAt != 0})
		}
		return p.WriteTable(slices.Concat(userRows(u), described.rows(), alwaysAskRows(u)))
	})
	return c
}
