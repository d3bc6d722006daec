package user

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/storage"
)

// commands are the commands of the noun.
type commands struct{ *cli.Program }

// EmailOrSubject is what a command about one user takes.
const EmailOrSubject = "the user's e-mail or subject (sub)"

// Find takes an e-mail or a subject: a subject has no @.
func Find(ctx context.Context, db *storage.DB, name string) (u storage.User, err error) {
	if strings.Contains(name, "@") {
		u, _, err = db.UserByEmail(ctx, name)
	} else {
		u, err = db.User(ctx, name)
	}
	if err != nil {
		return u, ErrorAbout(name, err)
	}
	return u, nil
}

// ErrorAbout names the user that an error is about, and for one that is not there
// the way to find it.
func ErrorAbout(name string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return exit.New(exit.NotFound, fmt.Errorf("there is no user %q", name), "list the users with: signet user list")
	}
	if errors.Is(err, storage.ErrLastAdmin) {
		return exit.New(exit.LastAdministrator, fmt.Errorf("%s is the last administrator; nothing was changed", name), "")
	}
	return fmt.Errorf("user %s: %w", name, err)
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
