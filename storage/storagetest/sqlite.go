package storagetest

import (
	"context"
	"os"
	"sync"
	"testing"

	"signet/storage"
)

// sqliteTemplate is a database file with the schema. Each test gets a copy, because running the
// migrations would take longer than most tests.
var sqliteTemplate = sync.OnceValues(func() (file []byte, err error) {
	folder, err := os.MkdirTemp(memory(), "signet-sqlite-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	db, err := storage.Open(context.Background(), storage.Config{DataDir: folder})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(storage.DatabaseFile(folder))
})

// newFile creates a folder with a copy of the template.
func newFile(t testing.TB) (folder string) {
	t.Helper()
	file, err := sqliteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	folder = newFolder(t)
	if err := os.WriteFile(storage.DatabaseFile(folder), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// newFolder creates a folder in memory, where commits do not wait for a disk. A benchmark gets a
// folder on the disk, because it measures the cost of commits.
func newFolder(t testing.TB) string {
	t.Helper()
	if _, measured := t.(*testing.B); measured {
		return t.TempDir()
	}
	folder, err := os.MkdirTemp(memory(), "signet-sqlite-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("remove the database: %v", err)
		}
	})
	return folder
}
