package engine

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// checkPassfile checks the password file that the URL or PGPASSFILE names. The driver skips a
// file that it cannot read, and PostgreSQL would then report a wrong password. As in libpq, only
// the owner may have access to the file.
func checkPassfile(database string) error {
	parts, _ := splitURL(database)
	query, err := url.ParseQuery(parts.query)
	if err != nil {
		return nil // another check reports it
	}
	_, secret, _ := strings.Cut(parts.userinfo, ":")
	if secret != "" || query.Get("password") != "" || os.Getenv("PGPASSWORD") != "" {
		return nil // the file is not used
	}
	name := query.Get("passfile")
	if name == "" {
		name = os.Getenv("PGPASSFILE")
	}
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("names the password file %s, which cannot be read (%w)", name, err)
	}
	defer f.Close()
	state, err := f.Stat()
	switch {
	case err != nil:
		return err
	case state.IsDir():
		return fmt.Errorf("names the password file %s, which is a folder", name)
	case state.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("names the password file %s, to which other users have access (mode %04o): run chmod 600 %s", name, state.Mode().Perm(), name)
	}
	return nil
}

// refreshPassword reads the password again before each new connection, so that a password in a
// file can be replaced while the program runs.
func refreshPassword(database string) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, c *pgx.ConnConfig) error {
		if fresh, err := parseURL(database); err == nil && fresh.Password != "" {
			c.Password = fresh.Password
		}
		return nil
	}
}

// beforeConnect runs both functions before each new connection.
func beforeConnect(first, second func(context.Context, *pgx.ConnConfig) error) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, c *pgx.ConnConfig) error {
		if err := first(ctx, c); err != nil {
			return err
		}
		return second(ctx, c)
	}
}
