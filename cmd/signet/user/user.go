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

// commands holds the `signet user` commands.
type commands struct{ *cli.Program }

// EmailOrSubject is the name of the argument EMAIL|SUB in error messages.
const EmailOrSubject = "the user's email address or subject (sub)"

// Find returns the user with this email address, id or chosen subject. A name with @ is an
// address first, and otherwise a subject of a former system. An unknown user is exit.NotFound.
func Find(ctx context.Context, db *storage.DB, name string) (u storage.User, err error) {
	err = storage.ErrNotFound
	if strings.Contains(name, "@") {
		u, _, err = db.UserByEmail(ctx, name)
	}
	if errors.Is(err, storage.ErrNotFound) {
		u, err = db.UserBySubject(ctx, name)
	}
	if err != nil {
		return u, ErrorAbout(name, err)
	}
	return u, nil
}

// ErrorAbout adds the name of the user to an error. If the user does not exist, the next step is
// the list command.
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
	case u.AdminRole().IsAny():
		return "enabled, " + string(u.AdminRole())
	}
	return "enabled"
}
