package program

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/storage"
	"signet/storage/storagetest"
)

// making lists the commands that may create a database.
var making = []string{"signet serve", "signet dev", "signet migrate", "signet restore"}

// withoutDatabase holds the commands that read no database, with their exit codes in an empty
// folder.
var withoutDatabase = map[string]int{
	"signet config check":    exit.Config, // there is no issuer
	"signet config show":     exit.OK,
	"signet config explain":  exit.OK,
	"signet config schema":   exit.OK,
	"signet connector list":  exit.OK,
	"signet connector check": exit.Config, // there are no connectors
	"signet passkeys check":  exit.Config, // the issuer is missing
	"signet completion":      exit.OK,
	"signet version":         exit.OK,
	"signet health":          exit.Unreachable,
	"signet mail test":       exit.Config, // there is no mail server
}

// requiredFlags holds the flags without which a command is wrong use.
var requiredFlags = map[string][]string{
	"signet client create":         {"--name", "x"},
	"signet client federation add": {"--subject", "x"},
	"signet client preview":        {"--user", "x"},
	"signet client update":         {"--name", "x"},
	"signet user create":           {"--email", "ada@example.com"},
	"signet user update":           {"--name", "x"},
	"signet user set-password":     {"--password-stdin"},
	"signet user link":             {"--for", "password"},
	"signet session end":           {"--user", "x"},
	"signet end-everything":        {"--reason", "x"},
}

// argumentValues holds the values of arguments that cannot have every value.
var argumentValues = map[string]string{"KEY": "issuer", "KIND": "github", "bash|zsh|fish|powershell": "bash", "FILE|-": "out.db"}

// readingCalls returns for each command that must not create a database the arguments of one or
// more calls.
func readingCalls(t *testing.T) map[string][][]string {
	t.Helper()
	calls := map[string][][]string{
		"signet migrate": {{"migrate", "--check"}},
		"signet restore": {{"restore", "nowhere.db"}, {"restore", "--database-restored"}},
		"__complete":     {{"__complete", "client", "show", ""}, {"__complete", "user", "show", ""}, {"__complete", "keys", "revoke", ""}},
	}
	for _, c := range everyCommand() {
		path := c.CommandPath()
		if c.HasSubCommands() || slices.Contains(making, path) {
			continue
		}
		call := strings.Fields(path)[1:]
		for _, name := range argumentNames(c.Use) {
			switch value, known := argumentValues[name]; {
			case known:
				call = append(call, value)
			case !strings.HasPrefix(name, "["):
				call = append(call, "x")
			}
		}
		call = append(call, requiredFlags[path]...)
		calls[path] = append(calls[path], call)
		for _, flag := range []string{"yes", "force", "now", "all", "follow"} {
			if c.Flags().Lookup(flag) != nil {
				calls[path] = append(calls[path], append(slices.Clone(call), "--"+flag))
			}
		}
	}
	calls["signet backup"] = append(calls["signet backup"], []string{"backup", "-"})
	if len(calls) < 35 {
		t.Fatalf("got only %d commands", len(calls))
	}
	return calls
}

// treeOf returns the names, modes and contents of all files below a folder.
func treeOf(t *testing.T, folder string) string {
	t.Helper()
	var tree strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		state, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		if state.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		fmt.Fprintf(&tree, "%s %s %q\n", path, state.Mode(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree.String()
}

// emptyPlace is a state of a folder that contains no database.
type emptyPlace struct {
	name string
	make func(t *testing.T, dir string) // prepares dir, which is data_dir; nil creates nothing
	code int
}

var placesWithoutDatabase = []emptyPlace{
	{"nothing", nil, exit.NotFound},
	{"an empty folder", func(t *testing.T, dir string) { makeDir(t, dir, 0o700) }, exit.NotFound},
	{"a folder of others", func(t *testing.T, dir string) { makeDir(t, dir, 0o755) }, exit.NotFound},
	{"an empty database file", func(t *testing.T, dir string) { makeDir(t, dir, 0o700); makeFile(t, dir, "signet.db", "") }, exit.NotFound},
	{"what a database leaves", func(t *testing.T, dir string) {
		makeDir(t, dir, 0o700)
		for _, name := range []string{"signet.db-wal", "signet.db-shm", "signet.db-lock", "master.key"} {
			makeFile(t, dir, name, "left")
		}
	}, exit.NotFound},
	{"a link to nothing", func(t *testing.T, dir string) {
		makeDir(t, dir, 0o700)
		if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "signet.db")); err != nil {
			t.Fatal(err)
		}
	}, exit.NotFound},
	{"a database of another program", func(t *testing.T, dir string) {
		makeDir(t, dir, 0o700)
		makeSQLite(t, filepath.Join(dir, "signet.db"), `CREATE TABLE recipes (id INTEGER)`)
	}, exit.NotFound},
	{"a file", func(t *testing.T, dir string) { makeFile(t, filepath.Dir(dir), filepath.Base(dir), "x") }, exit.Config},
	{"a folder that should be the file", func(t *testing.T, dir string) {
		makeDir(t, dir, 0o700)
		makeDir(t, filepath.Join(dir, "signet.db"), 0o700)
	}, exit.Config},
}

func makeDir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := os.Mkdir(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func makeFile(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func makeSQLite(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", file)
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// runCommand runs a command and returns its exit code and its output.
func runCommand(t *testing.T, env []string, args []string) (code int, stdout, stderr string) {
	t.Helper()
	var out, output bytes.Buffer
	code = Run(t.Context(), &cli.Program{Env: cli.ParseEnvironment(env), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &output, Now: time.Now}, args)
	return code, out.String(), output.String()
}

// Only a few commands may create a database. All others fail and name the place of the missing
// database. Otherwise a wrong folder would look like a database without users.
func TestCommands_MakeNoDatabase(t *testing.T) {
	calls := readingCalls(t)
	for _, place := range placesWithoutDatabase {
		t.Run(place.name, func(t *testing.T) {
			folder := t.TempDir()
			t.Chdir(folder)
			dir := filepath.Join(folder, "signet-data")
			if place.make != nil {
				place.make(t, dir)
			}
			before := treeOf(t, folder)
			for path, ways := range calls {
				for _, call := range ways {
					code, stdout, stderr := runCommand(t, []string{"SIGNET_LISTEN=127.0.0.1:1"}, call) // no server answers here
					name := "signet " + strings.Join(call, " ")
					if after := treeOf(t, folder); after != before {
						t.Fatalf("%s created something:\n%s\nbefore:\n%s", name, after, before)
					}
					want, known := withoutDatabase[path]
					switch {
					case path == "__complete", known && code == want:
					case known:
						t.Errorf("%s: exit code %d, want %d: %s", name, code, want, stderr)
					case path == "signet migrate" && place.code == exit.NotFound, path == "signet restore" && call[1] == "nowhere.db":
					case code != place.code || stdout != "" || !strings.Contains(stderr, dir):
						t.Errorf("%s: exit code %d, want %d and %s: %s%s", name, code, place.code, dir, stdout, stderr)
					case code == exit.NotFound && (!strings.Contains(stderr, "--data-dir") || !strings.Contains(stderr, "signet migrate")):
						t.Errorf("%s: the error does not name the next step: %s", name, stderr)
					}
				}
			}
		})
	}
}

func TestCommands_MakeNoTables(t *testing.T) {
	empty := storagetest.EmptyPostgres(t).Config().Database
	stranger := strings.Replace(empty, "postgres@/", "stranger:hunter2@/", 1)
	if code, _, stderr := runCommand(t, []string{"SIGNET_DATABASE=" + stranger}, []string{"migrate"}); code != exit.Config || !strings.Contains(stderr, "stranger") || strings.Contains(stderr, "hunter2") {
		t.Errorf("an unknown PostgreSQL user: exit code %d: %s", code, stderr)
	}
	missing := strings.Replace(empty, "postgres@/", "postgres:hunter2@/no_such_", 1)
	inside, err := sql.Open("pgx", empty)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	t.Chdir(t.TempDir())
	for path, ways := range readingCalls(t) {
		if _, none := withoutDatabase[path]; none || path == "signet migrate" || path == "signet backup" || path == "__complete" {
			continue
		}
		for _, call := range ways {
			if path == "signet restore" && call[1] == "nowhere.db" {
				continue // PostgreSQL has its own tools
			}
			for database, says := range map[string]string{empty: "has no tables of Signet", missing: "createdb"} {
				code, stdout, stderr := runCommand(t, []string{"SIGNET_DATABASE=" + database}, call)
				if code != exit.NotFound || stdout != "" || !strings.Contains(stderr, says) || !strings.Contains(stderr, "signet_") || strings.Contains(stderr, "hunter2") {
					t.Errorf("signet %s: exit code %d: %s%s", strings.Join(call, " "), code, stdout, stderr)
				}
			}
		}
	}
	var tables int
	if err := inside.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables were created, %v", tables, err)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("created %v, %v", entries, err)
	}
}

// Only migrate, serve, dev and restore migrate a database, so that the operator can make a backup
// first.
func TestCommands_DoNotMigrate(t *testing.T) {
	db := storagetest.SQLite(t)
	dir := db.Config().DataDir
	makeSQLite(t, storage.DatabaseFile(dir), `DELETE FROM migrations WHERE number > 3`)
	before, err := os.ReadFile(storage.DatabaseFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"SIGNET_DATA_DIR=" + dir}
	t.Chdir(t.TempDir())
	for path, ways := range readingCalls(t) {
		if _, none := withoutDatabase[path]; none || slices.Contains([]string{"signet migrate", "signet restore", "signet backup", "__complete"}, path) {
			continue
		}
		code, stdout, stderr := runCommand(t, env, ways[0])
		if code != exit.Denied || stdout != "" || !strings.Contains(stderr, "of an older release") || !strings.Contains(stderr, "signet migrate") {
			t.Errorf("%s: exit code %d: %s%s", path, code, stdout, stderr)
		}
	}
	if code, _, stderr := runCommand(t, env, []string{"backup", "out.db"}); code != exit.OK {
		t.Errorf("a backup before the migration: exit code %d: %s", code, stderr)
	}
	if after, err := os.ReadFile(storage.DatabaseFile(dir)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed: %v", err)
	}
}
