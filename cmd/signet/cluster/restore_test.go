package cluster_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
	"signet/storage"
	"signet/storage/storagetest"
)

// postgresTool finds a program that comes with PostgreSQL.
func postgresTool(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%s is not installed: apt-get install postgresql", name)
		}
		return path
	}
	return found[len(found)-1]
}

// backupOf makes a backup like an operator, and returns a function that restores it.
func backupOf(t *testing.T, c *signettest.Cluster, database string) (restore func(t *testing.T)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	if database == "" {
		c.Command(t, "", nil, "backup", file)
		return func(t *testing.T) { c.Command(t, "", nil, "restore", file, "--replace", "--json") }
	}
	tool := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(postgresTool(t, name), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	tool("pg_dump", "--format=custom", "--file="+file, database)
	return func(t *testing.T) {
		tool("pg_restore", "--clean", "--if-exists", "--dbname", database, file)
		c.Command(t, "", nil, "restore", "--database-restored", "--json")
	}
}

func authorizeURL(c *signettest.Cluster) string {
	return c.Issuer + "/authorize?" + url.Values{
		"client_id": {c.Client.ID}, "redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {"openid offline_access"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

func serviceToken(t *testing.T, c *signettest.Cluster, at string) string {
	t.Helper()
	status, got, err := c.Token(at, url.Values{"grant_type": {"client_credentials"}})
	if err != nil || status != http.StatusOK {
		t.Fatalf("client_credentials: status %d, %s, %v", status, got.Error, err)
	}
	return got.Access
}

// TestRestore_InvalidatesEarlierTokens restores an old backup. Tokens, codes and sessions from before the
// restore are invalid: those that the backup contains and those that are newer than it. New
// sign-ins work.
// RT-13, ST-12: Restore of an old backup.
func TestRestore_InvalidatesEarlierTokens(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			issuing := newIssuing(t, database)
			c := issuing.Cluster
			p := c.Start(t, true)
			before := issuing.everyArtefact(t, []string{p.Address})

			person := signettest.NewFormBrowser(t)
			person.Open(c.Issuer + "/account")
			person.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
			halfway := signettest.NewFormBrowser(t)
			halfway.Open(authorizeURL(c))
			codes := c.Codes(t, 3)
			first := c.MustRedeem(t, p.Address, codes[0])
			service := serviceToken(t, c, p.Address)
			restore := backupOf(t, c, database)

			// After the backup: a rotation, a redeemed code, another session, a new user and a
			// revoked key.
			_, ahead, err := c.Refresh(p.Address, first.Refresh)
			if err != nil || ahead.Refresh == "" {
				t.Fatalf("refresh: %s, %v", ahead.Error, err)
			}
			spent := c.MustRedeem(t, p.Address, codes[1])
			late := c.Codes(t, 2)
			unknown := c.MustRedeem(t, p.Address, late[0])
			c.Command(t, "", nil, "user", "create", "--email", "late@example.com", "--json")
			leaked := c.Kid(t, "ES256", "active")
			c.Command(t, "", nil, "keys", "revoke", leaked, "--yes", "--json")

			p.Kill()
			restore(t)
			p = c.Start(t, true)

			for _, one := range before {
				if !one.byKey && one.accepted(t, p.Address) {
					t.Errorf("%s is accepted after the restore", one.name)
				}
			}
			for name, held := range map[string]signettest.Tokens{"in the backup": first, "from a rotation after the backup": ahead, "from a code that is unspent in the backup": spent, "issued after the backup": unknown} {
				if status, got, err := c.Refresh(p.Address, held.Refresh); status != http.StatusBadRequest || got.Error != "invalid_grant" {
					t.Errorf("refresh token %s: status %d, %s, %v", name, status, got.Error, err)
				}
				if c.Active(t, p.Address, held.Access) {
					t.Errorf("access token %s is active", name)
				}
			}
			if c.Active(t, p.Address, service) {
				t.Error("a service token from before the restore is active")
			}
			for name, code := range map[string]string{"redeemed before the backup": codes[0], "redeemed after the backup": codes[1], "never redeemed": codes[2], "issued after the backup": late[1]} {
				if status, got, err := c.Redeem(p.Address, code); status != http.StatusBadRequest || got.Error != "invalid_grant" {
					t.Errorf("code %s: status %d, %s, %v", name, status, got.Error, err)
				}
			}
			if person.Open(c.Issuer + "/account"); person.At.Path != "/login" {
				t.Errorf("a session from before the restore opens %s, want the sign-in page", person.At)
			}
			halfway.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
			if halfway.Left != nil || signettest.FindByID(halfway.Page, "login") != nil {
				t.Errorf("a sign-in begun before the restore led to %s, %v", halfway.At, halfway.Left)
			}

			// The user, the client and the client secret still work.
			anew := c.MustRedeem(t, p.Address, c.Codes(t, 1)[0])
			if _, got, err := c.Refresh(p.Address, anew.Refresh); err != nil || got.Refresh == "" {
				t.Errorf("refresh after the restore: %s, %v", got.Error, err)
			}
			if !c.Active(t, p.Address, anew.Access) || !c.Active(t, p.Address, serviceToken(t, c, p.Address)) {
				t.Error("new tokens are not active")
			}
			c.CommandFails(t, exit.NotFound, "user", "show", "late@example.com")
			var events struct{ Events []struct{ Actor string } }
			c.Command(t, "", &events, "events", "--type", "instance.restored", "--json")
			if len(events.Events) != 1 || events.Events[0].Actor != "cli" {
				t.Errorf("events: got %+v, want one instance.restored by cli", events.Events)
			}
			wantRestoredKeys(t, c, leaked, database == "")
		})
	}
}

// wantRestoredKeys checks that the keys of the backup do not sign after the restore. If the
// restore could read the replaced database, a key that was revoked there stays revoked.
func wantRestoredKeys(t *testing.T, c *signettest.Cluster, leaked string, readReplaced bool) {
	t.Helper()
	i := slices.IndexFunc(c.Keys(t), func(k signettest.KeyRow) bool { return k.KeyID == leaked })
	state := "none"
	if i >= 0 {
		state = c.Keys(t)[i].State
	}
	if want := map[bool]string{true: "revoked", false: "retired"}[readReplaced]; state != want {
		t.Errorf("the leaked key is %s, want %s", state, want)
	}
	revoked := 0
	for _, k := range c.Keys(t) {
		if k.Alg == "internal" && k.State == "revoked" {
			revoked++
		}
	}
	if revoked != 2 {
		t.Errorf("%d internal secrets are revoked, want the two of the backup", revoked)
	}
}

// TestRestore_RefusedChangesNothing checks that a restore that fails or is refused changes nothing.
func TestRestore_RefusedChangesNothing(t *testing.T) {
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	folder := t.TempDir()
	file := filepath.Join(folder, "backup")
	c.Command(t, "", nil, "backup", file)
	if printed := c.CommandFails(t, exit.Conflict, "backup", file); !strings.Contains(printed, "exists already; nothing was changed") {
		t.Errorf("a second backup to the same file: %s", printed)
	}
	state, err := os.Stat(file)
	if err != nil || state.Mode().Perm() != 0o600 {
		t.Errorf("mode of the backup: got %v, %v; want 0600", state.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) != 1 {
		t.Errorf("the folder of the backup contains %v, want only the backup", left)
	}

	c.CommandFails(t, exit.Conflict, "restore", file)
	if printed := c.CommandFails(t, exit.Denied, "restore", file, "--replace"); !strings.Contains(printed, "stop the server") {
		t.Errorf("restore while a server runs: %s", printed)
	}
	c.MustRedeem(t, p.Address, c.Codes(t, 1)[0]) // the server still works
	p.Kill()
	checkIntegrity(t, c)

	damaged := filepath.Join(folder, "damaged")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.CommandFails(t, exit.Denied, "restore", damaged, "--replace")
	c.CommandFails(t, exit.NotFound, "restore", damaged+"x", "--replace")
	c.Command(t, "", nil, "user", "show", c.Email)

	// The master key is missing.
	data := c.DataDir(t)
	if err := os.Rename(filepath.Join(data, "master.key"), filepath.Join(folder, "master.key")); err != nil {
		t.Fatal(err)
	}
	if printed := c.CommandFails(t, exit.Config, "restore", file, "--replace"); !strings.Contains(printed, "master") {
		t.Errorf("restore without the master key: %s", printed)
	}
	if err := os.Rename(filepath.Join(folder, "master.key"), filepath.Join(data, "master.key")); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "*re*")); len(left) != 0 {
		t.Errorf("the refused restores left the files %v", left)
	}
	c.MustRedeem(t, c.Start(t, true).Address, c.Codes(t, 1)[0])
}

// TestRestore_BackupsOfOtherReleases restores a backup of an older release, which is migrated.
// A backup of a newer release is refused before anything changes.
// ST-12, MN-11: backups of other releases.
func TestRestore_BackupsOfOtherReleases(t *testing.T) {
	c := signettest.NewCluster(t, "")
	file := filepath.Join(t.TempDir(), "backup")
	c.Command(t, "", nil, "backup", file)
	db, err := sql.Open(sqliteDriver(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	change := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	newest, undo := newestMigration(t)
	change(undo...)
	var done struct{ Migrations []string }
	c.Command(t, "", &done, "restore", file, "--replace", "--json")
	if !slices.Equal(done.Migrations, []string{newest}) {
		t.Errorf("migrations: got %v, want %s", done.Migrations, newest)
	}
	c.Command(t, "", nil, "user", "show", c.Email, "--json")
	c.Command(t, "", nil, "setup-link", "--json")

	change(`UPDATE instance SET oldest_program = 999`)
	c.Command(t, "", nil, "user", "create", "--email", "still@example.com", "--json")
	if printed := c.CommandFails(t, exit.Denied, "restore", file, "--replace"); !strings.Contains(printed, "start a newer release") {
		t.Errorf("restore of a backup of a newer release: %s", printed)
	}
	c.Command(t, "", nil, "user", "show", "still@example.com", "--json")
}

// newestMigration returns the file name of the newest migration, and the statements that undo
// it in a SQLite database.
func newestMigration(t *testing.T) (name string, undo []string) {
	t.Helper()
	files, err := filepath.Glob("../../../storage/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	newest := files[len(files)-1]
	text, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	created := regexp.MustCompile(`(?m)^(?:CREATE (TABLE|(?:UNIQUE )?INDEX) (\w+)|ALTER TABLE (\w+) ADD COLUMN (\w+))`)
	for _, m := range created.FindAllStringSubmatch(string(text), -1) {
		statement := "ALTER TABLE " + m[3] + " DROP COLUMN " + m[4]
		if m[1] != "" {
			statement = "DROP " + strings.TrimPrefix(m[1], "UNIQUE ") + " " + m[2]
		}
		undo = append([]string{statement}, undo...)
	}
	return filepath.Base(newest), append(undo, fmt.Sprintf(`DELETE FROM migrations WHERE number = %d`, len(files)))
}

// CF-14: An older program refuses a newer database.
func TestRestore_OlderProgramRefusesANewerDatabase(t *testing.T) {
	i := signettest.NewInstance(t)
	db, err := sql.Open(sqliteDriver(), storage.DatabaseFile(i.DataDir(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE instance SET oldest_program = 999`); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve"}, {"user", "list"}, {"migrate"}, {"migrate", "--check"}} {
		if printed := i.CommandFails(t, exit.Denied, args...); !strings.Contains(printed, "too old for the database") || !strings.Contains(printed, "install the newer release") {
			t.Errorf("signet %s printed %q", strings.Join(args, " "), printed)
		}
	}
}

// TestRestore_KilledLeavesAWholeDatabase kills a restore at several points. The old or the new
// database is there and intact, and the next restore succeeds.
func TestRestore_KilledLeavesAWholeDatabase(t *testing.T) {
	c := signettest.NewCluster(t, "")
	file := filepath.Join(t.TempDir(), "backup")
	c.Command(t, "", nil, "backup", file)
	c.Command(t, "", nil, "user", "create", "--email", "since@example.com", "--json")
	for _, appears := range []string{"restore-*/signet.db", "restore-*/signet.db-wal", "signet.db.replaced-*"} {
		restore, output := c.Background(t, "restore", file, "--replace")
		signettest.Eventually(t, 30*time.Second, appears+" exists", func() bool {
			found, err := filepath.Glob(filepath.Join(c.DataDir(t), appears))
			return err == nil && len(found) > 0
		})
		_ = restore.Process.Kill()
		_ = restore.Wait()
		c.Command(t, "", nil, "user", "show", c.Email, "--json")
		checkIntegrity(t, c)
		wantNoLeftovers(t, c)
		if t.Failed() {
			t.Fatalf("killed when %s existed; output of the restore:\n%s", appears, output)
		}
	}
	c.Command(t, "", nil, "restore", file, "--replace", "--json")
	c.CommandFails(t, exit.NotFound, "user", "show", "since@example.com")
}

// TestRestore_KilledWhileItReadsLeavesNothing kills a restore whose standard input has stopped
// half-way. The next command of any kind removes what it had written.
func TestRestore_KilledWhileItReadsLeavesNothing(t *testing.T) {
	c := signettest.NewCluster(t, "")
	file := filepath.Join(t.TempDir(), "backup")
	c.Command(t, "", nil, "backup", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range [][]string{{"user", "list", "--json"}, {"migrate"}, {"client", "list", "--json"}} {
		for _, end := range []os.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			restore, output, input := c.BackgroundWithInput(t, "restore", "-", "--replace")
			if _, err := input.Write(content[:len(content)/2]); err != nil {
				t.Fatal(err)
			}
			signettest.Eventually(t, 30*time.Second, "the restore reads", func() bool {
				found, err := filepath.Glob(filepath.Join(c.DataDir(t), "restore-*/signet.db"))
				return err == nil && len(found) > 0
			})
			if err := restore.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			_ = restore.Wait()
			if end == syscall.SIGTERM {
				wantNoLeftovers(t, c) // it has removed everything itself
			}
			c.Command(t, "", nil, next...)
			wantNoLeftovers(t, c)
			if t.Failed() {
				t.Fatalf("ended by %v before signet %v; output of the restore:\n%s", end, next, output)
			}
		}
	}
	c.Command(t, "", nil, "user", "show", c.Email, "--json")
}

// wantNoLeftovers checks that data_dir has the database, whole databases that were replaced, and
// nothing else.
func wantNoLeftovers(t *testing.T, c *signettest.Cluster) {
	t.Helper()
	entries, err := os.ReadDir(c.DataDir(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		state, err := e.Info()
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.HasPrefix(e.Name(), "signet.db.replaced-"):
			if links := state.Sys().(*syscall.Stat_t).Nlink; links != 1 {
				t.Errorf("%s is a second name of another file", e.Name())
			}
		case !slices.Contains([]string{"signet.db", "signet.db-wal", "signet.db-shm", "signet.db-lock", "master.key"}, e.Name()):
			t.Errorf("data_dir contains %s", e.Name())
		}
	}
}
