package storagetest

import (
	"context"
	"os"
	"strings"
	"testing"

	"signet/storage"
)

// Backend is one fresh, empty database. It exists until the test ends. Its instance sends mails,
// so acts write the mails that tell of them.
type Backend struct {
	Name   string // "sqlite" or "postgres"
	config storage.Config
}

// Each runs f once for each kind of database, as subtests with the name of the kind.
func Each(t *testing.T, f func(t *testing.T, b Backend)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite returns a fresh SQLite database with the schema, for a test or benchmark of SQLite
// only.
func SQLite(t testing.TB) Backend {
	t.Helper()
	return Backend{Name: "sqlite", config: storage.Config{DataDir: newFile(t), Mails: true}}
}

// Postgres returns a fresh PostgreSQL database with the schema, for a test or benchmark of
// PostgreSQL only. If PostgreSQL is missing, the test fails.
func Postgres(t testing.TB) Backend {
	t.Helper()
	b := Backend{Name: "postgres", config: storage.Config{Database: newDatabase(t), Mails: true}}
	if os.Getenv("SIGNET_PGBOUNCER") != "" { // the same tests behind a pooler: make soak
		return b.Pooled(t)
	}
	return b
}

// EmptyPostgres returns a fresh PostgreSQL database without a schema.
func EmptyPostgres(t testing.TB) Backend {
	t.Helper()
	return Backend{Name: "postgres", config: storage.Config{Database: newDatabaseOf(t, "template0"), Mails: true}}
}

// PostgresWithPassword returns a PostgreSQL database whose user needs a password, which is not in
// its Config. setPassword sets the password of that user, and ends its connections.
func PostgresWithPassword(t testing.TB) (b Backend, setPassword func(string)) {
	t.Helper()
	b = Backend{Name: "postgres", config: storage.Config{Database: newDatabase(t), Mails: true}} // no pooler, which would need the password too
	c, err := theCluster()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(strings.Split(b.config.Database, "?")[0], "postgres://postgres@/")
	user := name + "_user"
	exec := func(sql string) {
		t.Helper()
		if err := c.exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE ROLE " + user + " LOGIN SUPERUSER IN ROLE " + withPassword)
	t.Cleanup(func() { exec("DROP ROLE " + user) })
	b.config.Database = strings.Replace(b.config.Database, "postgres@", user+"@", 1)
	return b, func(password string) {
		t.Helper()
		exec("ALTER ROLE " + user + " PASSWORD '" + password + "'")
		exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '" + user + "'")
	}
}

// Config returns the configuration that opens the database. A second handle, or another process,
// that uses it sees the same rows.
func (b Backend) Config() storage.Config { return b.config }

// WithoutMails returns the same database as an instance without a mail server uses it.
func (b Backend) WithoutMails() Backend {
	b.config.Mails = false
	return b
}

// Open opens a handle on the database and closes it at the end of the test. Each call returns
// another handle on the same database, as another node would have.
func (b Backend) Open(t testing.TB) *storage.DB {
	t.Helper()
	return b.OpenFaulty(t, nil)
}

// OpenFaulty opens a handle with calls that fail as faults chooses.
func (b Backend) OpenFaulty(t testing.TB, faults storage.Faults) *storage.DB {
	t.Helper()
	config := b.config
	config.Faults = faults
	db, err := storage.Open(context.Background(), config)
	if err != nil {
		t.Fatalf("open %s: %v", b.Name, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s: %v", b.Name, err)
		}
	})
	return db
}
