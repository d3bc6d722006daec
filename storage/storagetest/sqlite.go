package storagetest

import (
	"context"
	"os"
	"sync"
	"testing"

	"signet/storage"
)

// sqliteTemplate is a file with the schema in place. Each test gets a copy: to run the
// migrations for each would take longer than most tests do.
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

// newFile makes a folder with a copy of the template.
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

// newFolder makes a folder in memory, where no commit waits for a disk. A benchmark gets
// one on the disk: what a commit costs is what it measures.
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
