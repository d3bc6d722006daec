package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The parameters of a database's URL. Others are settings of the server, which tells
// whether it has them.
var (
	knownParameters = []string{
		"host", "port", "dbname", "database", "user", "password", "passfile", "connect_timeout", "service", "servicefile",
		"sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslnegotiation", "sslpassword", "sslsni", "ssl",
		"krbspn", "krbsrvname", "target_session_attrs", "min_protocol_version", "max_protocol_version", "channel_binding", "require_auth",
		"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
		"application_name", "options", "search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
		"client_encoding", "timezone", "datestyle",
	}
	// libpqParameters are those of PostgreSQL's own library alone: the driver would send
	// them to the server, which knows none of them.
	libpqParameters = []string{
		"hostaddr", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "replication",
		"gssencmode", "gsslib", "gssdelegation", "sslcompression", "sslcrl", "sslcrldir", "requirepeer", "requiressl", "load_balance_hosts",
		"fallback_application_name", "ssl_min_protocol_version", "ssl_max_protocol_version", "scram_client_key", "scram_server_key",
	}
	parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	// likeSSLMode finds the parameter that is misspelt most: it decides who can listen.
	likeSSLMode = regexp.MustCompile(`^(ssl-mode|sslmod|ssl_mode|sslMode|SSLMODE|tlsmode|tls)$`)
)

// checkParameters refuses what is no list of name=value. A name is repeated only if
// nothing secret can be in its place: an & in a password begins another parameter.
func checkParameters(query string) error {
	secret := false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, found := strings.Cut(pair, "=")
		known := slices.Contains(knownParameters, name)
		switch {
		case !found && secret:
			return errors.New(`is wrong: behind the parameter password is one without "="; if the password holds "&", write %26 for it`)
		case !found:
			return errors.New(`has a parameter without "=": write name=value, and between two of them "&"`)
		case strings.Contains(value, "=") && known:
			return fmt.Errorf(`is wrong: the parameter %s holds "=": write %%3D for it`, name)
		case strings.Contains(value, "="):
			return errors.New(`has a parameter that holds "=" in its value: write %3D for it`)
		case !known && secret:
			return errors.New(`is wrong: behind the parameter password is one that is not known; if the password holds "&", write %26 for it, or write the parameter password last`)
		case !parameterName.MatchString(name):
			return errors.New("has a parameter whose name is not made of letters, digits and _")
		case slices.Contains(libpqParameters, name), strings.HasPrefix(name, "pool_"):
			return fmt.Errorf("has the parameter %s, which is not supported: leave it away", name)
		case likeSSLMode.MatchString(name):
			return fmt.Errorf("has the parameter %s, which is none; did you mean sslmode?", name)
		}
		secret = secret || name == "password" || name == "sslpassword"
	}
	return nil
}
