package engine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The known parameters of a database URL. The driver sends all others to the server as
// settings, and the server refuses unknown ones.
var (
	knownParameters = []string{
		"host", "port", "dbname", "database", "user", "password", "passfile", "connect_timeout", "service", "servicefile",
		"sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslnegotiation", "sslpassword", "sslsni", "ssl",
		"krbspn", "krbsrvname", "target_session_attrs", "min_protocol_version", "max_protocol_version", "channel_binding", "require_auth",
		"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
		"application_name", "options", "search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
		"client_encoding", "timezone", "datestyle",
	}
	// libpqParameters are supported only by libpq, PostgreSQL's own library. The driver would
	// send them to the server, which does not know them.
	libpqParameters = []string{
		"hostaddr", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "replication",
		"gssencmode", "gsslib", "gssdelegation", "sslcompression", "sslcrl", "sslcrldir", "requirepeer", "requiressl", "load_balance_hosts",
		"fallback_application_name", "ssl_min_protocol_version", "ssl_max_protocol_version", "scram_client_key", "scram_server_key",
	}
	parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	// likeSSLMode matches wrong spellings of sslmode. They are checked because this parameter
	// decides whether the connection is encrypted.
	likeSSLMode = regexp.MustCompile(`^(ssl-mode|sslmod|ssl_mode|sslMode|SSLMODE|tlsmode|tls)$`)
)

// checkParameters refuses text that is not a list of name=value. Errors repeat a name only where
// it cannot be a part of a secret: an unescaped & in a password begins another parameter.
func checkParameters(query string) error {
	secret := false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, found := strings.Cut(pair, "=")
		known := slices.Contains(knownParameters, name)
		switch {
		case !found && secret:
			return errors.New(`has a parameter without "=" after the parameter password; if the password contains "&", write %26 instead`)
		case !found:
			return errors.New(`has a parameter without "=": write name=value, and "&" between two parameters`)
		case strings.Contains(value, "=") && known:
			return fmt.Errorf(`has "=" in the value of the parameter %s: write %%3D instead`, name)
		case strings.Contains(value, "="):
			return errors.New(`has "=" in the value of a parameter: write %3D instead`)
		case !known && secret:
			return errors.New(`has an unknown parameter after the parameter password; if the password contains "&", write %26 instead; otherwise write the parameter password last`)
		case !parameterName.MatchString(name):
			return errors.New("has a parameter name with characters other than letters, digits and _")
		case slices.Contains(libpqParameters, name), strings.HasPrefix(name, "pool_"):
			return fmt.Errorf("has the parameter %s, which is not supported: remove it", name)
		case likeSSLMode.MatchString(name):
			return fmt.Errorf("has the unknown parameter %s; did you mean sslmode?", name)
		}
		secret = secret || name == "password" || name == "sslpassword"
	}
	return nil
}
