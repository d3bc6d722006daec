package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"signet/storage/engine"
	"signet/storage/storagetest"
)

// A test cannot cut the power. SQLite promises durability for the first of these settings. The
// next two limit the size of the WAL, and with the last a write needs no temporary file.
func TestSQLite_WriterIsDurable(t *testing.T) {
	db := open(t, storagetest.SQLite(t))
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
		"wal_autocheckpoint": "2048", "journal_size_limit": "16777216", "temp_store": "2",
	} {
		var got string
		err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Raw(`PRAGMA ` + name).Scan(&got).Error })
		if err != nil || got != want {
			t.Errorf("%s is %s, %v: want %s", name, got, err, want)
		}
	}
}

func TestSQLite_ReadersCannotWrite(t *testing.T) {
	db := open(t, storagetest.SQLite(t))
	err := db.Read(t.Context(), func(q *gorm.DB) error { return note(q, "written by a reader") })
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("got %v, want an error about a read-only database", err)
	}
}

// ST-20: the database files are readable only by their owner.
func TestSQLite_FilesAreReadableByOwnerOnly(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	// A file that already exists and is readable by all is restricted too.
	if err := os.WriteFile(filepath.Join(folder, "signet.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{folder, filepath.Join(folder, "deeper")} {
		db := openConfig(t, engine.Config{DataDir: data, Migrations: schema})
		if err := db.Write(t.Context(), func(tx *gorm.DB) error { return note(tx, "written") }); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(data)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			want := os.FileMode(0o600)
			if f.IsDir() {
				want = 0o700
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("%s has mode %o, want %o", f.Name(), got, want)
			}
			seen[f.Name()] = true
		}
		for _, name := range []string{"signet.db", "signet.db-wal", "signet.db-shm", "signet.db-lock"} {
			if !seen[name] {
				t.Errorf("%s is missing: %v", name, files)
			}
		}
	}
}

func TestOpen_RefusesUnusableConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]engine.Config{
		"nothing":          {},
		"another database": {Database: "mysql://root:hunter2@localhost/x"},
		"malformed URL":    {Database: "postgres://root:hunter2@local host:x/y"},
		"nobody answers":   {Database: "postgres://root:hunter2@127.0.0.1:1/x?connect_timeout=2"},
		"a file":           {DataDir: file},
	} {
		db, err := engine.Open(t.Context(), c)
		if err == nil {
			db.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error contains the password: %v", name, err)
		}
		if name == "nobody answers" {
			wantError(t, name, err, engine.ErrUnavailable)
		}
	}
}

func TestPing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := open(t, b)
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		offset, err := db.ClockOffset(t.Context())
		if err != nil || offset.Abs().Seconds() > 5 {
			t.Errorf("clock offset on the same machine: %v, %v", offset, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantError(t, "ping after close", db.Ping(t.Context()), engine.ErrUnavailable)
	})
}
