package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// CF-14: ReadSchema, which `signet migrate --check` calls, reports pending migrations,
// and gives ErrProgramOutdated for a database that needs a newer program.
func TestReadSchema_ReportsPendingAndTooNew(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db := b.Open(t)
		set := func(sql string) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err != nil {
				t.Fatal(err)
			}
		}
		read := func() (storage.Schema, error) { return storage.ReadSchema(t.Context(), b.Config()) }
		s, err := read()
		if err != nil || len(s.Pending) != 0 || s.Newest < 5 {
			t.Errorf("a current database: %+v, %v", s, err)
		}
		set(`DELETE FROM migrations WHERE number > 3`)
		if s, err = read(); err != nil || s.Newest != 3 || len(s.Pending) < 2 || s.Pending[0] != "0004_grants_by_user.sql" {
			t.Errorf("an older database: %+v, %v", s, err)
		}
		set(`INSERT INTO migrations (number, name) VALUES (999, '0999_of_a_newer_program.sql')`)
		if s, err = read(); err != nil || s.Newest != 999 || len(s.Pending) != 0 {
			t.Errorf("a newer database: %+v, %v", s, err)
		}
		set(`UPDATE instance SET oldest_program = 999`)
		if s, err = read(); !errors.Is(err, storage.ErrProgramOutdated) || s.Newest != 999 {
			t.Errorf("a database that needs a newer program: %+v, %v", s, err)
		}
		if _, err := storage.Open(t.Context(), b.Config()); !errors.Is(err, storage.ErrProgramOutdated) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestReadSchema_CreatesNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	s, err := storage.ReadSchema(t.Context(), storage.Config{DataDir: folder})
	if err != nil || len(s.Pending) != len(files) || !slices.IsSorted(s.Pending) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was created: %v", err)
	}
}
