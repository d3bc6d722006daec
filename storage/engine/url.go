package engine

import (
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// NameOf names the PostgreSQL database of a URL for people: its name, host and user, and
// nothing secret.
func NameOf(database string) string {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return "of the setting database"
	}
	at := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	if len(config.Host) > 0 && config.Host[0] == '/' {
		at = config.Host
	}
	name := config.Database
	if name == "" {
		name = config.User // as PostgreSQL has it
	}
	return fmt.Sprintf("%q at %s (user %q)", name, at, config.User)
}
