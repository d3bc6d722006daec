package program_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// serviceUser returns the user and the group of a service. Only root can give a folder to another
// user, so without root it is the user of the test, who must keep all files.
func serviceUser() (user, group int) {
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid()
	}
	return 4711, 4711
}

// TestCommands_RootLeavesNoFileOfRoot runs the commands that write files as root, in the data
// folder of a service that runs as another user. The service must be able to open each of them.
func TestCommands_RootLeavesNoFileOfRoot(t *testing.T) {
	user, group := serviceUser()
	i := signettest.NewInstance(t)
	folder := i.DataDir(t)
	if err := os.RemoveAll(folder); err != nil { // the service has not started yet
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, user, group); err != nil {
		t.Fatal(err)
	}
	belongsToService := func(after string) (files int) {
		t.Helper()
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			state, err := entry.Info()
			if err != nil {
				return err
			}
			files++
			if owner := state.Sys().(*syscall.Stat_t); int(owner.Uid) != user || int(owner.Gid) != group {
				t.Errorf("after %s: %s belongs to %d:%d", after, path, owner.Uid, owner.Gid)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	run := func(args ...string) {
		t.Helper()
		i.Command(t, "", nil, args...)
		if belongsToService(args[0]) < 3 {
			t.Errorf("after %v: the folder holds no database", args)
		}
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	run("migrate")
	run("client", "create", "--name", "A", "--id", "a", "--redirect-uri", signettest.Nowhere, "--json")
	end := signettest.StartSignetAt(t, time.Now, i.Issuer, i.Env, "serve")
	belongsToService("serve")
	run("keys", "list") // beside the server
	end()
	run("keys", "rewrap")
	run("backup", backup)
	run("restore", backup, "--replace")
	run("client", "list")
}

// TestCommands_RootDoesNotFollowLinks places links of the service's user in the data folder. A
// command of root must not give the files behind them to that user.
func TestCommands_RootDoesNotFollowLinks(t *testing.T) {
	user, group := serviceUser()
	for name, link := range map[string]func(from, to string) error{"symbolic": os.Symlink, "hard": os.Link} {
		t.Run(name, func(t *testing.T) {
			i := signettest.NewInstance(t)
			folder, foreign := i.DataDir(t), filepath.Join(t.TempDir(), "foreign")
			lock := filepath.Join(folder, "signet.db-lock")
			for _, err := range []error{os.WriteFile(foreign, nil, 0o600), os.Remove(lock), link(foreign, lock), os.Chown(folder, user, group)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			i.Command(t, "", nil, "client", "list")
			state, err := os.Stat(foreign)
			if err != nil {
				t.Fatal(err)
			}
			if owner := state.Sys().(*syscall.Stat_t); int(owner.Uid) != os.Geteuid() {
				t.Errorf("the file behind the link belongs to %d", owner.Uid)
			}
		})
	}
}
