package storage_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/storage"
	"signet/storage/storagetest"
)

// The password is taken from the Config or from the password file. The first line that fits the
// host counts, for each host by itself.
func TestPassword_OfPostgreSQL(t *testing.T) {
	b, setPassword := storagetest.PostgresWithPassword(t)
	setPassword("pa:ss")
	database := b.Config().Database
	before, socket, _ := strings.Cut(database, "?host=")
	several := before + "?host=127.0.0.1," + socket + "&port=1,5432"
	for _, c := range []struct {
		name, database, password, file string
		ok                             bool
	}{
		{"config", database, "pa:ss", "", true},
		{"config before the file", database, "pa:ss", "*:*:*:*:wrong", true},
		{"wrong in the config", database, "wrong", `*:*:*:*:pa\:ss`, false},
		{"file", database, "", `localhost:5432:*:*:pa\:ss`, true},
		{"wrong in the file", database, "", "*:*:*:*:wrong", false},
		{"another host in the file", database, "", `other:*:*:*:pa\:ss`, false},
		{"each host its line", several, "", "127.0.0.1:*:*:*:wrong\nlocalhost:*:*:*:" + `pa\:ss`, true},
		{"wrong line of the second host", several, "", "127.0.0.1:*:*:*:" + `pa\:ss` + "\nlocalhost:*:*:*:wrong", false},
		{"several hosts, config", several, "pa:ss", "", true},
		{"none", database, "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := storage.Config{Database: c.database, Password: c.password}
			if c.file != "" {
				config.Database += "&passfile=" + url.QueryEscape(passfile(t, c.file))
			}
			db, err := storage.OpenExisting(t.Context(), config)
			if (err == nil) != c.ok || err != nil && (!errors.Is(err, storage.ErrLoginRefused) || strings.Contains(err.Error(), "pa:ss")) {
				t.Fatalf("got %v, want success: %v", err, c.ok)
			}
			if err == nil {
				must(t, db.Close())
			}
		})
	}
}

// PgBouncer in transaction mode reads the passwords from PostgreSQL and signs in there as the client.
func TestPassword_BehindPgBouncerWithAuthQuery(t *testing.T) {
	b, setPassword := storagetest.PostgresWithPassword(t)
	setPassword("pa:ss")
	database := b.PooledByAuthQuery(t).Config().Database
	if _, err := storage.OpenExisting(t.Context(), storage.Config{Database: database, Password: "wrong"}); !errors.Is(err, storage.ErrLoginRefused) {
		t.Errorf("a wrong password: got %v, want ErrLoginRefused", err)
	}
	nobody := strings.Replace(database, "postgres://", "postgres://nobody_", 1)
	if _, err := storage.OpenExisting(t.Context(), storage.Config{Database: nobody, Password: "pa:ss"}); !errors.Is(err, storage.ErrLoginRefused) {
		t.Errorf("an unknown user: got %v, want ErrLoginRefused", err)
	}
	for range 2 { // two nodes share the connections of the pooler
		db, err := storage.OpenExisting(t.Context(), storage.Config{Database: database, Password: "pa:ss"})
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		for i := range 20 {
			id := storage.NewID("web")
			must(t, db.CreateClient(t.Context(), storagetest.NewClient(storage.Web, id, "Client"), storage.By{At: noon.Add(time.Duration(i))}))
			_, err := db.Client(t.Context(), id)
			must(t, err)
		}
	}
}

func passfile(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pgpass")
	must(t, os.WriteFile(path, []byte(lines+"\n"), 0o600))
	return path
}

// New connections use the password that is in the file now.
func TestPassword_ChangesWithoutRestart(t *testing.T) {
	b, setPassword := storagetest.PostgresWithPassword(t)
	setPassword("first")
	lines, alone := passfile(t, "*:*:*:*:first"), passfile(t, "first")
	for file, c := range map[string]struct {
		config storage.Config
		before string // the password in the file
	}{
		lines: {storage.Config{Database: b.Config().Database + "&passfile=" + url.QueryEscape(lines)}, "*:*:*:*:"},
		alone: {storage.Config{Database: b.Config().Database, Password: "first", PasswordFile: alone}, ""},
	} {
		setPassword("first")
		db, err := storage.OpenExisting(t.Context(), c.config)
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		for _, password := range []string{"second", "third"} {
			setPassword(password)
			if err := db.Ping(t.Context()); !errors.Is(err, storage.ErrLoginRefused) {
				t.Fatalf("with the old password in the file: got %v", err)
			}
			must(t, os.WriteFile(file, []byte(c.before+password+"\n"), 0o600))
			must(t, db.Ping(t.Context()))
		}
	}
	// While another program writes the file, the password of the start counts.
	setPassword("first")
	must(t, os.Truncate(alone, 0))
	db, err := storage.OpenExisting(t.Context(), storage.Config{Database: b.Config().Database, Password: "first", PasswordFile: alone})
	must(t, err)
	must(t, db.Close())
}

// A password file that cannot be read for a long time, for example on a network file system, holds up
// a connection only until the deadline of its caller. As soon as it can be read, its password is used.
func TestPassword_UnreadableFileWaitsOnlyUntilTheDeadline(t *testing.T) {
	b, setPassword := storagetest.PostgresWithPassword(t)
	setPassword("first")
	lines, alone := passfile(t, "*:*:*:*:first"), passfile(t, "first")
	for file, c := range map[string]struct {
		config  storage.Config
		content string
	}{
		lines: {storage.Config{Database: b.Config().Database + "&passfile=" + url.QueryEscape(lines)}, "*:*:*:*:second\n"},
		alone: {storage.Config{Database: b.Config().Database, Password: "first", PasswordFile: alone}, "second\n"},
	} {
		setPassword("first")
		db, err := storage.OpenExisting(t.Context(), c.config)
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		setPassword("second")
		must(t, os.Remove(file))
		must(t, syscall.Mkfifo(file, 0o600)) // a read of it waits until somebody writes
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if err := db.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
			cancel()
		}
		must(t, os.WriteFile(file, []byte(c.content), 0o600)) // ends the read that waits
		must(t, os.Remove(file))
		must(t, os.WriteFile(file, []byte(c.content), 0o600))
		must(t, db.Ping(t.Context()))
	}
}
