package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
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

// URLHosts returns the hosts of a database URL, each once, without the folders of unix sockets. It
// returns none if the URL has a mistake, or for SQLite.
func URLHosts(database string) (hosts []string) {
	if database == "" {
		return nil
	}
	config, err := parseURL(database)
	if err != nil {
		return nil // another check reports it
	}
	for _, host := range append([]*pgconn.FallbackConfig{{Host: config.Host}}, config.Fallbacks...) {
		if !strings.HasPrefix(host.Host, "/") && !slices.Contains(hosts, host.Host) {
			hosts = append(hosts, host.Host)
		}
	}
	return hosts
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

// passwords is the driver.Connector of a database whose password may be in a file. Each
// connection reads the file again, so that a password can be replaced while the program runs. Each
// host has its own line in the file; the driver alone would use the line of the first host for all.
type passwords struct {
	config   *pgx.ConnConfig
	database string // the URL
	password string // "" if the URL, PGPASSWORD or a password file contains it
	file     string // contains password and nothing else; "" for none
	options  []stdlib.OptionOpenDB
	reading  chan struct{} // has an entry while the file is read
}

// longestRead is how long a connection waits for the file if its caller has no earlier deadline.
const longestRead = 10 * time.Second

// newPasswords returns the connector of a configuration, of which config is the driver's form.
func newPasswords(c Config, config *pgx.ConnConfig, options ...stdlib.OptionOpenDB) *passwords {
	return &passwords{config, c.Database, c.Password, c.PasswordFile, options, make(chan struct{}, 1)}
}

// Driver returns the driver of the connections.
func (p *passwords) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// Connect connects to the first host that accepts a connection.
func (p *passwords) Connect(ctx context.Context) (driver.Conn, error) {
	parts, err := p.readParts(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, part := range parts {
		conn, err := stdlib.GetConnector(*part, p.options...).Connect(ctx)
		if err == nil {
			return conn, nil
		}
		if failed = append(failed, err); ctx.Err() != nil || errors.Is(err, driver.ErrBadConn) {
			break // the pooler's reason to connect again, or no time is left
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, errors.Join(failed...)
}

// readParts calls parts and returns at the deadline of ctx. A file on a network file system may not
// be readable for a long time, and no read of a file can be stopped. Therefore only one connection
// reads at a time, and the others wait for their turn.
func (p *passwords) readParts(ctx context.Context) ([]*pgx.ConnConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	select {
	case p.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the file with the password of the database: %w", ctx.Err())
	}
	read := make(chan []*pgx.ConnConfig, 1)
	go func() {
		defer func() { <-p.reading }()
		read <- p.parts()
	}()
	select {
	case parts := <-read:
		return parts, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read the file with the password of the database: %w", ctx.Err())
	}
}

// parts splits the configuration into neighbouring hosts with the same password.
func (p *passwords) parts() (parts []*pgx.ConnConfig) {
	known := map[string]string{}
	hosts := append([]*pgconn.FallbackConfig{{Host: p.config.Host, Port: p.config.Port, TLSConfig: p.config.TLSConfig}}, p.config.Fallbacks...)
	for _, host := range hosts {
		at := net.JoinHostPort(host.Host, strconv.Itoa(int(host.Port)))
		password, found := known[at]
		if !found {
			password = p.passwordAt(host)
			known[at] = password
		}
		if n := len(parts); n > 0 && parts[n-1].Password == password {
			parts[n-1].Fallbacks = append(parts[n-1].Fallbacks, host)
			continue
		}
		part := p.config.Copy()
		part.Host, part.Port, part.TLSConfig, part.Password, part.Fallbacks = host.Host, host.Port, host.TLSConfig, password, nil
		parts = append(parts, part)
	}
	return parts
}

// currentPassword returns the password that is in the file now. While the file cannot be read or
// is empty, for example because another program writes it, the earlier password counts.
func (p *passwords) currentPassword() string {
	if p.file == "" {
		return p.password
	}
	content, err := os.ReadFile(p.file)
	if current := strings.TrimRight(string(content), "\r\n"); err == nil && current != "" {
		return current
	}
	return p.password
}

// passwordAt returns the password for a host. The driver chooses it, as for a URL with that host
// alone.
func (p *passwords) passwordAt(host *pgconn.FallbackConfig) string {
	if p.password != "" {
		return p.currentPassword()
	}
	parts, _ := splitURL(p.database)
	alone := "postgres://"
	if parts.userinfo != "" {
		alone += parts.userinfo + "@"
	}
	alone += fmt.Sprintf("%s?host=%s&port=%d", parts.path, url.QueryEscape(host.Host), host.Port)
	for pair := range strings.SplitSeq(parts.query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != "" && name != "host" && name != "port" {
			alone += "&" + pair
		}
	}
	config, err := parseURL(alone)
	if err != nil {
		return p.config.Password // a file that was removed meanwhile
	}
	return config.Password
}
