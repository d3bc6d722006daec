package engine

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// CheckURL reports the first mistake in the URL of a PostgreSQL database. The text of the error
// continues a sentence that begins with the name of the setting. It never repeats the user name,
// the password, or anything that may be a part of them: an unescaped special character ends one
// part of the URL early, so the rest of a password may look like another part.
//
// The form is that of RFC 3986, with a list of hosts and the parameters of libpq (PostgreSQL,
// section 34.1.1.2). CheckURL reads the files that the parameters name; see CheckPassfile for the
// file of passwords.
func CheckURL(text string) error {
	if err := checkScheme(text); err != nil {
		return err
	}
	if err := checkParts(text); err != nil {
		return err
	}
	_, err := parseURL(text)
	return err
}

// connectionConfig returns the driver's configuration for the database of a URL.
func connectionConfig(database string) (*pgx.ConnConfig, error) {
	if err := CheckURL(database); err != nil {
		return nil, fmt.Errorf("the database URL %w", err)
	}
	return parseURL(database)
}

// parseURL is pgx.ParseConfig for a URL whose parts are correct. Its errors contain no secret.
func parseURL(text string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(text)
	if err == nil {
		return config, nil
	}
	// The driver's error quotes the URL, in which it hides only the text that it takes for the
	// password. Only the part after the URL is used.
	message := err.Error()
	if i := strings.LastIndex(message, "`: "); i >= 0 {
		message = message[i+len("`: "):]
	}
	parts, _ := splitURL(text)
	for _, secret := range append(strings.SplitN(parts.userinfo, ":", 2), parts.userinfo) {
		if secret != "" && strings.Contains(message, secret) {
			return nil, errDatabaseURL
		}
	}
	return nil, errors.New("cannot be parsed: " + message)
}

var errDatabaseURL = errors.New("is malformed: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")

var (
	otherScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	keywords    = regexp.MustCompile(`^\s*[a-z_]+\s*=`)
)

func checkScheme(text string) error {
	scheme, _, _ := strings.Cut(text, "://")
	lower := strings.ToLower(scheme)
	switch {
	case strings.TrimSpace(text) != text:
		return errors.New("begins or ends with white space: remove it")
	case strings.HasPrefix(text, "postgres://"), strings.HasPrefix(text, "postgresql://"):
		return nil
	case strings.HasPrefix(text, `"`), strings.HasPrefix(text, `'`):
		return errors.New("is in quotes, which are part of the value here: remove the quotes")
	case lower == "postgres" || lower == "postgresql":
		return errors.New("must begin with postgres:// in lower case")
	case strings.HasPrefix(lower, "jdbc:"), strings.HasPrefix(lower, "postgres"):
		return errors.New("begins in the form of another program: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	case keywords.MatchString(text):
		return errors.New("has the form of keywords and values: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, and for a socket postgres://USER@/DATABASE?host=/var/run/postgresql")
	case strings.HasPrefix(lower, "sqlite"), strings.HasPrefix(lower, "file:"), strings.HasSuffix(lower, ".db"), strings.HasPrefix(text, "/"), strings.HasPrefix(text, "."):
		return errors.New("names a file: for SQLite leave database empty, and set data_dir to the folder of signet.db")
	case otherScheme.MatchString(text):
		return errors.New("is not a postgres:// URL: Signet supports PostgreSQL, and SQLite if database is empty")
	}
	return errors.New("is not a postgres:// URL; leave it empty for SQLite")
}

// urlParts are the parts of a URL in their written form.
type urlParts struct {
	userinfo, hosts, path, query string
	hasQuery                     bool
}

// splitURL splits a PostgreSQL URL into its parts. rest is the text after the authority.
func splitURL(text string) (parts urlParts, rest string) {
	_, after, _ := strings.Cut(text, "://")
	authority := after
	if i := strings.IndexAny(after, "/?#"); i >= 0 {
		authority, rest = after[:i], after[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		parts.userinfo, authority = authority[:i], authority[i+1:]
	}
	parts.hosts = authority
	parts.path, parts.query, parts.hasQuery = strings.Cut(rest, "?")
	return parts, rest
}

// checkParts looks for characters that must be escaped, part by part.
func checkParts(text string) error {
	parts, rest := splitURL(text)
	if err := checkEarlyEnd(text, parts, rest); err != nil {
		return err
	}
	user, password, _ := strings.Cut(parts.userinfo, ":")
	for _, part := range []struct{ name, text, refused string }{
		{"the user name", user, `@[]"<>\^` + "`{|}"},
		{"the password", password, `@[]"<>\^` + "`{|}"},
		{"the database name", strings.TrimPrefix(parts.path, "/"), "#@"},
		{"a parameter", parts.query, "#"},
	} {
		if err := checkCharacters(part.name, part.text, part.refused); err != nil {
			return err
		}
	}
	for host := range strings.SplitSeq(parts.hosts, ",") {
		if err := checkHostPort(host); err != nil {
			return err
		}
	}
	if !parts.hasQuery {
		return nil
	}
	return checkParameters(parts.query)
}

// checkEarlyEnd detects a user name or password that contains an unescaped /, ? or #. That
// character ends the part early, so the @ after the password comes later. An @ is allowed
// without escaping only in the parameter user, after a /.
func checkEarlyEnd(text string, parts urlParts, rest string) error {
	early := strings.Contains(rest, "@")
	if strings.HasPrefix(rest, "/") && !strings.ContainsAny(parts.path, "@#") && !strings.Contains(parts.query, "#") {
		early = false
		for pair := range strings.SplitSeq(parts.query, "&") {
			early = early || strings.Contains(pair, "@") && !strings.HasPrefix(pair, "user=")
		}
	}
	if !early {
		return nil
	}
	part := "the user name"
	_, before, _ := strings.Cut(strings.TrimSuffix(text, rest), "://")
	if strings.Contains(before, ":") {
		part = "the password"
	}
	return fmt.Errorf("has %q in %s: write %s instead (write %%40 for an @ elsewhere in the URL)", rest[:1], part, escaped(rest[:1]))
}

// checkCharacters refuses the given characters, and those that no part may contain.
func checkCharacters(part, text, refused string) error {
	for i, r := range text {
		switch {
		case r == '%' && !isEscape(text[i:]):
			return fmt.Errorf("has %q in %s without two hexadecimal digits after it: write %%25 instead", "%", part)
		case r == ' ' || strings.ContainsRune(refused, r):
			return fmt.Errorf("has %q in %s: write %s instead", string(r), part, escaped(string(r)))
		case r < ' ' || r == 0x7f:
			return fmt.Errorf("has a control character, such as a line break, in %s: remove it, or write it as %% and two hexadecimal digits", part)
		case refused != "#" && refused != "#@" && r >= utf8.RuneSelf:
			return fmt.Errorf("has a character in %s that is not ASCII: write each of its UTF-8 bytes as %% and two hexadecimal digits", part)
		}
	}
	return nil
}

// isEscape reports whether the text begins with an escaped character other than NUL.
func isEscape(text string) bool {
	if len(text) < 3 {
		return false
	}
	value, err := strconv.ParseUint(text[1:3], 16, 8)
	return err == nil && value != 0
}

// escaped returns each byte of text as % and two hexadecimal digits.
func escaped(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

var (
	hostName   = regexp.MustCompile(`^([A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*$`)
	portNumber = regexp.MustCompile(`^[0-9]{0,5}$`)
)

// checkHostPort checks one host of the list. Its errors repeat nothing of the text, which may be
// a part of a password that contains an @ or is not followed by one.
func checkHostPort(text string) error {
	host, port := text, ""
	if strings.HasPrefix(text, "[") {
		inside, rest, found := strings.Cut(text[1:], "]")
		if !found || net.ParseIP(strings.Split(inside, "%")[0]) == nil || rest != "" && rest[0] != ':' {
			return errors.New("has a host in [ ] that is not an IPv6 address; in a user name or password write %5B for [ and %5D for ]")
		}
		host, port = "", strings.TrimPrefix(rest, ":")
	} else if before, after, found := strings.Cut(text, ":"); found {
		host, port = before, after
	}
	switch {
	case !hostName.MatchString(host), strings.Contains(text, "%00"): // the driver's error would quote an escaped NUL
		return errors.New("has an invalid character in a host; end user name and password with one @, and write special characters in them as % and two hexadecimal digits")
	case !portNumber.MatchString(port):
		return errors.New("has a port that is not a number: write HOST:PORT, an IPv6 address in [ ], and an @ after USER:PASSWORD")
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return errors.New("has a port that is not between 1 and 65535")
	}
	return nil
}

// DescribeURL describes the PostgreSQL database of a URL for people: its name, host and user.
// The description contains no secret.
func DescribeURL(database string) string {
	config, err := parseURL(database)
	if err != nil {
		return "of the setting database"
	}
	at := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	if strings.HasPrefix(config.Host, "/") {
		at = config.Host
	}
	name := config.Database
	if name == "" {
		name = config.User // PostgreSQL's default
	}
	return fmt.Sprintf("%q at %s (user %q)", name, at, config.User)
}
