package storage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

func TestOpenExisting_RefusesOutdatedDatabaseAndProgram(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		set := func(sql string) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err != nil {
				t.Fatal(err)
			}
		}
		opens := func(want error) {
			t.Helper()
			got, err := storage.OpenExisting(t.Context(), b.Config())
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("got %v, want %v", err, want)
			}
			if got != nil {
				if err := got.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		opens(nil)
		set(`INSERT INTO migrations (number, name) VALUES (999, '0999_of_a_newer_program.sql')`)
		opens(nil) // neighboring releases work side by side
		set(`UPDATE instance SET oldest_program = 999`)
		opens(storage.ErrProgramOutdated)
		set(`UPDATE instance SET oldest_program = 0`)
		set(`DELETE FROM migrations WHERE number > 3`)
		opens(storage.ErrDatabaseOutdated)
		var newest int
		if err := db.Read(t.Context(), func(q *gorm.DB) error { return q.Raw(`SELECT MAX(number) FROM migrations`).Scan(&newest).Error }); err != nil || newest != 3 {
			t.Errorf("OpenExisting migrated the database to %d, %v", newest, err)
		}
	})
}

func TestOpenExisting_CreatesNothing(t *testing.T) {
	postgres := storagetest.EmptyPostgres(t).Config()
	for _, c := range []storage.Config{{DataDir: filepath.Join(t.TempDir(), "data")}, postgres} {
		if _, err := storage.OpenExisting(t.Context(), c); !errors.Is(err, storage.ErrNoDatabase) {
			t.Errorf("got %v, want ErrNoDatabase", err)
		}
		if s, err := storage.ReadSchema(t.Context(), c); err != nil || s.Newest != 0 {
			t.Errorf("a schema was created: %+v, %v", s, err)
		}
		if _, err := os.Stat(c.DataDir); c.DataDir != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder was created: %v", err)
		}
	}
}

// The last commits may exist only in the write-ahead log. If Open created a new database
// beside the log, SQLite would delete the log.
func TestOpen_RefusesALogWithoutItsDatabase(t *testing.T) {
	for name, database := range map[string]*string{"no file": nil, "an empty file": new(string)} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			log := storage.DatabaseFile(folder) + "-wal"
			if err := os.WriteFile(log, []byte("the last commits"), 0o600); err != nil {
				t.Fatal(err)
			}
			if database != nil {
				if err := os.WriteFile(storage.DatabaseFile(folder), []byte(*database), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := storage.Open(t.Context(), storage.Config{DataDir: folder}); !errors.Is(err, storage.ErrOrphanedWAL) {
				t.Errorf("got %v, want ErrOrphanedWAL", err)
			}
			if kept, err := os.ReadFile(log); err != nil || string(kept) != "the last commits" {
				t.Errorf("the log holds %q, %v", kept, err)
			}
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
			db, err := storage.Open(t.Context(), storage.Config{DataDir: folder})
			if err != nil {
				t.Fatalf("open without the log: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
