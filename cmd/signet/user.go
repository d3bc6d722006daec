package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

func (p *program) userCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Create, change and look at users"}
	asNoun(c)
	c.AddCommand(p.userCreateCommand(), p.userListCommand(), p.userShowCommand(), p.userUpdateCommand(), p.userPasswordCommand(),
		p.userDisableCommand(), p.userEnableCommand(), p.userSignOutCommand(),
		p.userAdminCommand(), p.userDeleteCommand(), p.userIdentityCommand())
	return c
}

func (p *program) userCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "create --email EMAIL --password-stdin",
		Short:   "Create a user",
		Example: "  signet user create --email ada@example.com --password-stdin < password.txt",
		Args:    exactly(),
	}
	given := addUserFlags(c)
	admin := c.Flags().Bool("admin", false, "the user may administer this server")
	password := passwordFlags(c)
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		u := storage.User{Admin: *admin}
		given.onto(&u)
		if err := directory.CheckUser(u); err != nil { // before the password is asked for
			return usage(c, namingFlag(err))
		}
		typed, err := password.read(p.stdin)
		if err != nil {
			return usage(c, err)
		}
		made, err := p.directory(settings, db).CreateUser(ctx, u, typed, fromCommandLine())
		if err != nil {
			return cmp.Or(takenByAnother(u, err), err)
		}
		if typed == "" {
			p.say("the user has no password yet, and so cannot sign in with one")
		}
		if !made.EmailVerified {
			p.say("nobody has proven that %s is this user's address: applications do not receive it, and the first proof of it, such as a sign-in "+
				"through an upstream that verifies it, deletes the password and everything else set up before; "+
				"if you know that it is the user's: signet user update %s --email-verified --keep", made.Email, made.Email)
		}
		return p.showUser(made, *asJSON)
	})
	return c
}

func (p *program) userListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the users by e-mail, and then those without one",
		Example: `  signet user list --email ada
  signet user list --admin --json
  signet user list --limit 100 --after ada@example.com`,
		Args: exactly(),
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
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, _ []string) error {
		if *limit < 0 {
			return usage(c, fmt.Errorf("--limit %d: want 1 or more, or 0 for all", *limit))
		}
		users, err := manyUsers(ctx, db, f, *limit)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if *limit > 0 && len(users) == *limit {
			p.say("there may be more: --after %s", users[*limit-1].Place())
		}
		if *asJSON {
			described := []describedUser{} // never null
			for _, u := range users {
				described = append(described, describeUser(u))
			}
			return p.writeJSON(map[string]any{"users": described})
		}
		switch {
		case len(users) == 0 && f == (storage.UserFilter{}):
			p.say("there are no users yet: signet user create --email EMAIL --password-stdin")
			return nil
		case len(users) == 0:
			p.say("no user is like that")
			return nil
		}
		rows := [][]string{{"SUB", "EMAIL", "NAME", "STATE"}}
		for _, u := range users {
			rows = append(rows, []string{u.ID, u.Email, u.Name, userState(u)})
		}
		return p.writeTable(rows)
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
		f.After = more[size-1].Place()
	}
}

func (p *program) userShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show EMAIL|SUB",
		Short:   "Show one user, with factors and identities",
		Example: "  signet user show ada@example.com --json",
		Args:    exactly(whichUser),
	}
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		u, err := findUser(ctx, db, args[0])
		if err != nil {
			return err
		}
		attached, err := db.AttachedTo(ctx, u.ID, p.now())
		if err != nil {
			return aboutUser(args[0], err)
		}
		described := describeAttached(attached)
		if *asJSON {
			return p.writeJSON(struct {
				describedUser
				describedAttached
			}{describeUser(u), described})
		}
		return p.writeTable(append(userRows(u), described.rows()...))
	})
	return c
}

// whichUser is what a command about one user takes.
const whichUser = "the user's e-mail or subject (sub)"

// findUser takes an e-mail or a subject: a subject has no @.
func findUser(ctx context.Context, db *storage.DB, name string) (u storage.User, err error) {
	if strings.Contains(name, "@") {
		u, _, err = db.UserByEmail(ctx, name)
	} else {
		u, err = db.User(ctx, name)
	}
	if err != nil {
		return u, aboutUser(name, err)
	}
	return u, nil
}

// aboutUser names the user that an error is about, and for one that is not there
// the way to find it.
func aboutUser(name string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return exit.New(exit.NotFound, fmt.Errorf("there is no user %q", name), "list the users with: signet user list")
	}
	if errors.Is(err, storage.ErrLastAdmin) {
		return exit.New(exit.Conflict, fmt.Errorf("%s is the last administrator; nothing was changed", name), "make another one first: signet user admin EMAIL")
	}
	return fmt.Errorf("user %s: %w", name, err)
}

// describedUser is a user as --json shows it: the standard claims under their
// names, and what only an administrator sees.
type describedUser struct {
	Subject           string     `json:"sub"`
	Email             string     `json:"email"`
	EmailVerified     bool       `json:"email_verified"`
	Name              string     `json:"name,omitempty"`
	GivenName         string     `json:"given_name,omitempty"`
	FamilyName        string     `json:"family_name,omitempty"`
	PreferredUsername string     `json:"preferred_username,omitempty"`
	UsernameUnique    bool       `json:"preferred_username_unique,omitempty"` // false: no application is told it
	Locale            string     `json:"locale,omitempty"`
	Zoneinfo          string     `json:"zoneinfo,omitempty"`
	Roles             []string   `json:"roles,omitempty"`
	Groups            []string   `json:"groups,omitempty"`
	Admin             bool       `json:"admin"`
	Enabled           bool       `json:"enabled"`
	DisabledAt        *time.Time `json:"disabled_at,omitempty"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
}

func describeUser(u storage.User) describedUser {
	return describedUser{
		Subject: u.ID, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, PreferredUsername: u.PreferredUsername, UsernameUnique: u.UsernameUnique(),
		Locale: u.Locale, Zoneinfo: u.Zoneinfo, Roles: u.Roles, Groups: u.Groups,
		Admin: u.Admin, Enabled: u.Enabled(), DisabledAt: moment(u.DisabledAt),
		CreatedAt: u.CreatedAt.Time(), UpdatedAt: u.UpdatedAt.Time(),
	}
}

func (p *program) showUser(u storage.User, asJSON bool) error {
	if asJSON {
		return p.writeJSON(describeUser(u))
	}
	return p.writeTable(userRows(u))
}

func userRows(u storage.User) [][]string {
	email := u.Email
	if u.EmailVerified {
		email += " (verified)"
	}
	username := u.PreferredUsername
	if username != "" && !u.UsernameUnique() {
		username += " (another user's too: applications are not told it)"
	}
	return filled([][]string{
		{"sub", u.ID},
		{"email", email},
		{"name", u.Name},
		{"preferred_username", username},
		{"roles", strings.Join(u.Roles, ", ")},
		{"groups", strings.Join(u.Groups, ", ")},
		{"state", userState(u)},
		{"created", u.CreatedAt.Time().Format(time.RFC3339)},
	})
}

func userState(u storage.User) string {
	switch {
	case !u.Enabled():
		return "disabled"
	case u.Admin:
		return "enabled, admin"
	}
	return "enabled"
}
