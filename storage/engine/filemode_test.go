package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signet/storage/engine"
)

// modeCase is a file or folder, and the answer of CheckPrivate for it: "" or a part of the error
// with its next step.
type modeCase struct {
	folder       bool
	mode         os.FileMode
	owner, group int
	want         string
}

const (
	volumeGroup = 70000 // the fsGroup of the Pod
	podUser     = 65532
	stranger    = 70001
)

// The cases are what Kubernetes, Docker and operators make. Each is judged by a process that is
// in the group of the volume: as the user of the image, and as root.
func modeCases(user int) []modeCase {
	setgid := os.ModeSetgid
	cases := []modeCase{
		// Files and folders of this user alone.
		{false, 0o600, user, user, ""}, {false, 0o400, user, user, ""}, {true, 0o700, user, user, ""}, {true, 0o700 | setgid, user, volumeGroup, ""},
		// A volume with an fsGroup: its top folder, the folders and files in it, and a Secret.
		{true, 0o775 | setgid, 0, volumeGroup, ""}, {true, 0o770 | setgid, 0, volumeGroup, ""}, {true, 0o770 | setgid, user, volumeGroup, ""},
		{false, 0o660, user, volumeGroup, ""}, {false, 0o640, 0, volumeGroup, ""}, {false, 0o440, 0, volumeGroup, ""}, {false, 0o660, stranger, volumeGroup, ""},
		// Others have access.
		{false, 0o644, user, user, "(mode 0644): run: chmod 600 "}, {false, 0o604, user, volumeGroup, "other users can read"},
		{false, 0o666, user, volumeGroup, "run: chmod 660 "}, {false, 0o602, user, user, "run: chmod 600 "}, {false, 0o444, user, stranger, "run: chmod 400 "},
		{true, 0o755, user, user, "other users have access to"}, {true, 0o701, user, user, "run: chmod 700 "}, {true, 0o777, user, volumeGroup, "run: chmod 770 "},
		// Anyone may write to the top folder of an emptyDir, with or without an fsGroup.
		{true, 0o777 | setgid, 0, volumeGroup, "other users have access to"}, {true, 0o777, 0, 0, "other users have access to"}, {true, 0o777 | os.ModeSticky, 0, 0, "other users have access to"},
		// The top folder of a volume is known by the bit setgid and its owner.
		{true, 0o775, 0, volumeGroup, "other users have access to"}, {true, 0o775 | setgid, stranger, volumeGroup, "other users have access to"}, {true, 0o775 | setgid, 0, stranger, "other users have access to"},
		// A group that this process is not in.
		{false, 0o640, user, stranger, "the users of group 70001, which is not a group of this process, can read"}, {false, 0o620, user, stranger, "run: chmod 600 "},
		{true, 0o770 | setgid, user, stranger, "the users of group 70001"}, {true, 0o710, user, stranger, "run: chmod 700 "},
	}
	if user != 0 { // only the owner may change the mode
		cases = append(cases,
			modeCase{false, 0o644, 0, volumeGroup, "as its owner, run: chmod 640 "}, modeCase{false, 0o444, 0, volumeGroup, "as its owner, run: chmod 440 "},
			modeCase{false, 0o444, 0, 0, "as its owner, run: chgrp 65532 FILE && chmod 440 FILE"}, modeCase{false, 0o644, 0, 0, "as its owner, run: chgrp 65532 FILE && chmod 640 FILE"})
	}
	return cases
}

// TestCheckPrivate_JudgesModesLikeTheKernel checks the rule as other users, each in a process of
// its own. Only root can become another user.
func TestCheckPrivate_JudgesModesLikeTheKernel(t *testing.T) {
	if list := os.Getenv("SIGNET_TEST_CHECK_PRIVATE"); list != "" {
		printChecks(list)
		return
	}
	if os.Geteuid() != 0 {
		t.Log("this user cannot become another one: only its own files are checked")
	}
	for _, user := range []int{podUser, 0} {
		t.Run(fmt.Sprint(user), func(t *testing.T) {
			folder := openFolder(t)
			var paths []string
			var cases []modeCase
			for i, c := range modeCases(user) {
				path := filepath.Join(folder, fmt.Sprint(i))
				if !makeWithMode(t, path, c, user) {
					continue
				}
				link := filepath.Join(folder, fmt.Sprint("link", i)) // Kubernetes mounts links
				if err := os.Symlink(path, link); err != nil {
					t.Fatal(err)
				}
				paths, cases = append(paths, path, link), append(cases, c, c)
			}
			if len(cases) == 0 {
				return
			}
			for i, got := range checksAs(t, user, folder, paths) {
				c := cases[i]
				want := strings.ReplaceAll(c.want, "FILE", paths[i])
				if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
					t.Errorf("folder %v, mode %v, owner %d, group %d: got %q, want %q", c.folder, c.mode, c.owner, c.group, got, want)
				}
			}
		})
	}
}

// TestCheckPrivate_NextStepHelps runs the command of each error, after which the file is private
// and still of use to this process.
func TestCheckPrivate_NextStepHelps(t *testing.T) {
	folder := openFolder(t)
	for _, mode := range []os.FileMode{0o644, 0o666, 0o444, 0o604, 0o755, 0o777, 0o701} {
		path := filepath.Join(folder, mode.String())
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		wrong, open := errors.AsType[*engine.OpenToOthers](engine.CheckPrivate(path))
		if !open {
			t.Errorf("mode %v is accepted", mode)
			continue
		}
		command, _ := strings.CutPrefix(wrong.Next(), "run: ")
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", command, err, out)
		}
		if err := engine.CheckPrivate(path); err != nil {
			t.Errorf("after %s: %v", command, err)
		}
		if _, err := os.ReadFile(path); err != nil {
			t.Error(err)
		}
	}
	if err := engine.CheckPrivate(filepath.Join(folder, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestOpen_ClosesTheDatabaseToOthers opens a database whose files have the modes of a volume, or
// are open to others.
func TestOpen_ClosesTheDatabaseToOthers(t *testing.T) {
	for before, want := range map[os.FileMode]os.FileMode{0o600: 0o600, 0o660: 0o660, 0o640: 0o640, 0o644: 0o600, 0o666: 0o660, 0o602: 0o600} {
		dir := t.TempDir()
		config := engine.Config{DataDir: dir, Migrations: schema}
		openConfig(t, config).Close()
		files := []string{engine.DatabaseFile(dir), engine.DatabaseFile(dir) + "-lock"}
		for _, name := range files {
			if err := os.Chmod(name, before); err != nil {
				t.Fatal(err)
			}
		}
		db := openConfig(t, config)
		found, err := filepath.Glob(engine.DatabaseFile(dir) + "*")
		if err != nil || len(found) < len(files) {
			t.Fatal(found, err)
		}
		for _, name := range found {
			state, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := state.Mode().Perm(); got != want {
				t.Errorf("%s of mode %v has mode %v when it is open, want %v", filepath.Base(name), before, got, want)
			}
		}
		db.Close()
	}
}

// openFolder is a temporary folder that every user may enter.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "signet-modes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// makeWithMode makes the file of a case. It returns false if this user cannot.
func makeWithMode(t *testing.T, path string, c modeCase, user int) bool {
	t.Helper()
	if os.Geteuid() != 0 && (user != podUser || c.owner != podUser || c.group != podUser) {
		return false
	}
	var err error
	if c.folder {
		err = os.Mkdir(path, 0o700)
	} else {
		err = os.WriteFile(path, []byte("x"), 0o600)
	}
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(path, c.owner, c.group)
	}
	if err = errors.Join(err, os.Chmod(path, c.mode)); err != nil { // last: chown clears setgid
		t.Fatal(err)
	}
	return true
}

// checksAs returns the answers of CheckPrivate for each path, in a process of that user.
func checksAs(t *testing.T, user int, folder string, paths []string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "program")
	if err := os.Link(self, program); err != nil {
		if out, err := exec.CommandContext(t.Context(), "cp", self, program).CombinedOutput(); err != nil {
			t.Fatalf("copy the test program: %v %s", err, out)
		}
	}
	list, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), program, "-test.run=^TestCheckPrivate_JudgesModesLikeTheKernel$")
	check.Dir = folder
	check.Env = []string{"SIGNET_TEST_CHECK_PRIVATE=" + string(list)}
	if os.Geteuid() == 0 {
		check.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user), Groups: []uint32{volumeGroup}}}
	}
	out, err := check.Output()
	if err != nil {
		t.Fatalf("as user %d: %v %s", user, err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	var answers []string
	if err := json.Unmarshal([]byte(line), &answers); err != nil || len(answers) != len(paths) {
		t.Fatalf("as user %d: %v %s", user, err, out)
	}
	return answers
}

// printChecks prints the answers for a JSON list of paths as a JSON list.
func printChecks(list string) {
	var paths, answers []string
	if err := json.Unmarshal([]byte(list), &paths); err != nil {
		panic(err)
	}
	for _, path := range paths {
		answer := ""
		if err := engine.CheckPrivate(path); err != nil {
			answer = err.Error()
			if wrong, open := errors.AsType[*engine.OpenToOthers](err); open {
				answer += ": " + wrong.Next()
			}
		}
		answers = append(answers, answer)
	}
	line, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
