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

// HasPassword reports whether a database URL contains a password.
func HasPassword(database string) bool {
	parts, _ := splitURL(database)
	_, secret, _ := strings.Cut(parts.userinfo, ":")
	return secret != "" || URLParameter(database, "password") != ""
}

// URLParameter returns a parameter of a database URL, or "".
func URLParameter(database, name string) string {
	parts, _ := splitURL(database)
	query, err := url.ParseQuery(parts.query)
	if err != nil {
		return "" // another check reports it
	}
	return query.Get(name)
}

// CheckPassfile checks a file of PostgreSQL passwords that the settings name. The driver skips a
// file that it cannot read, and PostgreSQL would then report a wrong password. The text of the
// error continues a sentence that begins with the name of the setting.
func CheckPassfile(name string) error {
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
