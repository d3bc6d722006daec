package user

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/storage"
)

// commands are the commands of the noun.
type commands struct{ *cli.Program }

// Which is what a command about one user takes.
const Which = "the user's e-mail or subject (sub)"

// Find takes an e-mail or a subject: a subject has no @.
func Find(ctx context.Context, db *storage.DB, name string) (u storage.User, err error) {
	if strings.Contains(name, "@") {
		u, _, err = db.UserByEmail(ctx, name)
	} else {
		u, err = db.User(ctx, name)
	}
	if err != nil {
		return u, About(name, err)
	}
	return u, nil
}

// About names the user that an error is about, and for one that is not there
// the way to find it.
func About(name string, err error) error {
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
		Admin: u.Admin, Enabled: u.Enabled(), DisabledAt: cli.Moment(u.DisabledAt),
		CreatedAt: u.CreatedAt.Time(), UpdatedAt: u.UpdatedAt.Time(),
	}
}

func (p commands) showUser(u storage.User, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(describeUser(u))
	}
	return p.WriteTable(userRows(u))
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
	return cli.Filled([][]string{
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
