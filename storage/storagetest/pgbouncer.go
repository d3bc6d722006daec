package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"signet/storage"
)

// pgBouncer is the PgBouncer of this test binary, in front of its PostgreSQL.
type pgBouncer struct {
	folder string    // of its socket
	alive  io.Closer // PgBouncer stops when this is closed, see supervisePgBouncer
}

var errMissingPgBouncer = errors.New("PgBouncer is not installed: apt-get install pgbouncer")

var (
	thePgBouncer          = sync.OnceValues(func() (*pgBouncer, error) { return startPgBouncer(letEveryoneIn) })
	thePgBouncerAuthQuery = sync.OnceValues(func() (*pgBouncer, error) { return startPgBouncer(askForPasswords) })
)

// Pooled returns the same PostgreSQL database behind PgBouncer in transaction mode. PgBouncer
// has so few connections to the server that each transaction may get another one.
func (b Backend) Pooled(t testing.TB) Backend {
	t.Helper()
	p, err := thePgBouncer()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(b.config.Database)
	if err != nil {
		t.Fatal(err)
	}
	return Backend{Name: b.Name, config: storage.Config{Database: p.url(u.User.Username(), strings.TrimPrefix(u.Path, "/")), Mails: b.config.Mails}}
}

// PooledByAuthQuery returns the database of PostgresWithPassword behind PgBouncer in transaction
// mode, which reads the passwords of its clients from PostgreSQL (auth_query).
func (b Backend) PooledByAuthQuery(t testing.TB) Backend {
	t.Helper()
	p, err := thePgBouncerAuthQuery()
	if err != nil {
		t.Fatal(err)
	}
	user, database, _ := strings.Cut(strings.TrimPrefix(strings.Split(b.config.Database, "?")[0], "postgres://"), "@/")
	return Backend{Name: b.Name, config: storage.Config{Database: p.url(user, database), Mails: b.config.Mails}}
}

// The ways in which PgBouncer checks its clients.
const (
	letEveryoneIn   = "auth_type = any"
	askForPasswords = "auth_type = scram-sha-256\nauth_user = postgres\nauth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1"
)

// pgBouncerSettings has the folder of PostgreSQL's socket, the user there, how clients are
// checked, and the folder of PgBouncer's socket.
const pgBouncerSettings = `[databases]
* = host=%s%s
[pgbouncer]
pool_mode = transaction
default_pool_size = 4
max_client_conn = 1000
%s
listen_port = 6432
unix_socket_dir = %s
`

// supervisePgBouncer runs PgBouncer until standard input ends, as supervise does for PostgreSQL.
const supervisePgBouncer = `"$1" "$2/pgbouncer.ini" &
server=$!
read -r never
kill -TERM $server
wait $server
rm -rf "$2"`

func startPgBouncer(check string) (*pgBouncer, error) {
	c, err := theCluster()
	if err != nil {
		return nil, err
	}
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return nil, errMissingPgBouncer
		}
	}
	folder, err := os.MkdirTemp(memory(), "signet-pgbouncer-")
	if err != nil {
		return nil, err
	}
	owned := &cluster{folder: folder}
	attributes, err := owned.unprivileged()
	if err != nil {
		return nil, err
	}
	as := ""
	if check == letEveryoneIn {
		as = " user=postgres"
	}
	if err := os.WriteFile(filepath.Join(folder, "pgbouncer.ini"), fmt.Appendf(nil, pgBouncerSettings, c.folder, as, check, folder), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	server := exec.Command("/bin/sh", "-c", supervisePgBouncer, "sh", binary, folder)
	server.Dir, server.SysProcAttr = folder, attributes
	server.Stdout, server.Stderr = log, log
	p := &pgBouncer{folder: folder}
	if p.alive, err = server.StdinPipe(); err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	return p, p.await()
}

// await polls until PgBouncer answers, even if it refuses the password.
func (p *pgBouncer) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.url("postgres", "postgres"))
		var refused *pgconn.PgError
		switch {
		case err == nil:
			return conn.Close(ctx)
		case errors.As(err, &refused):
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.folder, "log"))
			return fmt.Errorf("PgBouncer does not start: %w\n%s", err, log)
		}
	}
}

// url returns the URL of a database behind PgBouncer.
func (p *pgBouncer) url(user, database string) string {
	return "postgres://" + user + "@/" + database + "?port=6432&host=" + url.QueryEscape(p.folder)
}
