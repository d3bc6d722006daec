package storage_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"signet/storage"
)

// abandon makes a folder look like the workspace of a killed process: nobody holds its lock.
func abandon(t *testing.T, dataDir, purpose string, files map[string]string) string {
	t.Helper()
	folder := filepath.Join(dataDir, purpose+"-0123456789abcdef0123456789abcdef")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// filesIn lists the files of a folder, without SQLite's own log and lock.
func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"signet.db-wal", "signet.db-shm", "signet.db-lock"}, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestOpen_UndoesAnUnfinishedReplacement stops a replacement between any two of its steps. The
// next process that opens the database finds the old one, complete and alone.
func TestOpen_UndoesAnUnfinishedReplacement(t *testing.T) {
	const aside = "signet.db.replaced-x"
	for name, stopped := range map[string]func(t *testing.T, path, kept string){
		"before the first step": func(*testing.T, string, string) {},
		"after the second name": func(t *testing.T, path, kept string) { must(t, os.Link(path, kept)) },
		"without links":         func(t *testing.T, path, kept string) { must(t, os.Rename(path, kept)) },
	} {
		for _, open := range []func(c storage.Config) (*storage.DB, error){
			func(c storage.Config) (*storage.DB, error) { return storage.Open(t.Context(), c) },
			func(c storage.Config) (*storage.DB, error) { return storage.OpenExisting(t.Context(), c) },
		} {
			t.Run(name, func(t *testing.T) {
				c := storage.Config{DataDir: t.TempDir()}
				db, err := storage.Open(t.Context(), c)
				must(t, err)
				_, err = db.CreateUser(t.Context(), storage.User{Email: "old@example.com"}, "", storage.By{At: noon})
				must(t, err)
				must(t, db.Close())
				abandon(t, c.DataDir, "restore", map[string]string{"signet.db": "new", "replaces": aside})
				path := storage.DatabaseFile(c.DataDir)
				stopped(t, path, filepath.Join(c.DataDir, aside))
				db, err = open(c)
				must(t, err)
				defer db.Close()
				if _, _, err := db.UserByEmail(t.Context(), "old@example.com"); err != nil {
					t.Error(err)
				}
				if names := filesIn(t, c.DataDir); !slices.Equal(names, []string{"signet.db"}) {
					t.Errorf("data_dir has %v", names)
				}
			})
		}
	}
}

// After the last step of a replacement, the new database stays, and the old one keeps its new
// name.
func TestOpen_KeepsAFinishedReplacement(t *testing.T) {
	c := storage.Config{DataDir: t.TempDir()}
	db, err := storage.Open(t.Context(), c)
	must(t, err)
	must(t, db.Close())
	abandon(t, c.DataDir, "restore", map[string]string{"replaces": "kept", "signet.db-lock": ""})
	must(t, os.WriteFile(filepath.Join(c.DataDir, "kept"), nil, 0o600))
	db, err = storage.Open(t.Context(), c)
	must(t, err)
	must(t, db.Close())
	if names := filesIn(t, c.DataDir); !slices.Equal(names, []string{"kept", "signet.db"}) {
		t.Errorf("data_dir has %v", names)
	}
}

// A workspace stays while its process works, and folders that only look similar always stay.
func TestNewWorkspace_OnlyAbandonedOnesAreRemoved(t *testing.T) {
	dataDir := t.TempDir()
	mine, err := storage.NewWorkspace(dataDir, "restore")
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dataDir, "restore-20260301"), 0o700))
	must(t, os.Mkdir(filepath.Join(dataDir, "backup-of-ada"), 0o700))
	abandon(t, dataDir, "backup", map[string]string{"backup": "half"})
	db, err := storage.Open(t.Context(), storage.Config{DataDir: dataDir})
	must(t, err)
	must(t, db.Close())
	want := []string{"backup-of-ada", "restore-20260301", filepath.Base(mine.Folder), "signet.db"}
	slices.Sort(want)
	if names := filesIn(t, dataDir); !slices.Equal(names, want) {
		t.Errorf("data_dir has %v, want %v", names, want)
	}
	must(t, mine.Close())
	if _, err := os.Stat(mine.Folder); !os.IsNotExist(err) {
		t.Errorf("the closed workspace: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
