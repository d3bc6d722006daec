package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpen_ReadsVersionCommitAndDate(t *testing.T) {
	clone := newClone(t)
	setVersion(t, clone, "0.1.0")
	r := opened(t, clone, false)
	if want := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC); r.version != "0.1.0" || !r.date.Equal(want) || !r.exact || r.dirty {
		t.Errorf("got version %q, date %s, exact %t, dirty %t", r.version, r.date, r.exact, r.dirty)
	}
	if head := output(t, clone, "git", "rev-parse", "HEAD"); r.commit != head {
		t.Errorf("got commit %q, want %q", r.commit, head)
	}

	write(t, clone, "later", "text")
	commit(t, clone)
	if r := opened(t, clone, false); r.exact {
		t.Error("a later commit counts as the release")
	}
}

func TestOpen_RefusesUncommittedFilesAndShallowClones(t *testing.T) {
	clone := newClone(t)
	setVersion(t, clone, "0.1.0")
	setVersion(t, clone, "0.2.0")

	write(t, clone, "forgotten.go", "package x")
	if _, err := open(t.Context(), clone, false); err == nil || !strings.Contains(err.Error(), "forgotten.go") || !strings.Contains(err.Error(), "-dirty") {
		t.Errorf("uncommitted file: got %v", err)
	}
	r := opened(t, clone, true)
	if r.exact || !r.dirty {
		t.Errorf("uncommitted file with -dirty: exact %t, dirty %t", r.exact, r.dirty)
	}
	if _, err := os.Stat(filepath.Join(r.source, "forgotten.go")); err != nil {
		t.Error(err)
	}

	shallow := filepath.Join(t.TempDir(), "shallow")
	output(t, "", "git", "clone", "-q", "--depth", "1", "file://"+clone, shallow)
	if _, err := open(t.Context(), shallow, false); !errors.Is(err, errShallow) {
		t.Errorf("shallow clone: got %v", err)
	}
	if _, err := open(t.Context(), t.TempDir(), false); err == nil {
		t.Error("a folder outside of a clone was accepted")
	}
	for _, wrong := range []string{"", "v0.2.0", "0.2", "0.2.0-rc1", "0.2.0; rm -rf /"} {
		clone := newClone(t)
		setVersion(t, clone, wrong)
		if _, err := open(t.Context(), clone, false); err == nil || !strings.Contains(err.Error(), "VERSION contains") {
			t.Errorf("version %q: got %v", wrong, err)
		}
	}
}

func TestOpen_LeavesOutIgnoredFilesAndFixesModes(t *testing.T) {
	clone := newClone(t)
	write(t, clone, ".gitignore", "*.key\n")
	write(t, clone, "static/secret.key", "secret")
	write(t, clone, "static/page.html", "page")
	if err := os.Chmod(filepath.Join(clone, "static/page.html"), 0o600); err != nil {
		t.Fatal(err)
	}
	setVersion(t, clone, "0.1.0")
	r := opened(t, clone, false)
	if _, err := os.Stat(filepath.Join(r.source, "static/secret.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ignored file: got %v, want it left out", err)
	}
	if info, err := os.Stat(filepath.Join(r.source, "static/page.html")); err != nil || info.Mode() != 0o644 {
		t.Errorf("got %v %v, want mode 0644", info, err)
	}
}

func TestPublish_ReplacesOnlyItsOwnFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "dist")
	publish := func(complete bool, names ...string) error {
		r := &release{out: t.TempDir(), talk: testWriter{t}}
		for _, name := range names {
			write(t, r.out, name, name)
		}
		return r.publish(folder, complete)
	}
	want := func(names string) {
		t.Helper()
		if got := listing(t, folder); got != names {
			t.Errorf("got %q, want %q", got, names)
		}
	}
	for _, step := range []struct {
		complete bool
		names    []string
		want     string
	}{
		{true, []string{"a-0.1.0", "b-0.1.0"}, "a-0.1.0 b-0.1.0"},
		{false, []string{"c-0.1.0"}, "a-0.1.0 b-0.1.0 c-0.1.0"},
		{true, []string{"a-0.2.0"}, "a-0.2.0"},
	} {
		if err := publish(step.complete, step.names...); err != nil {
			t.Fatal(err)
		}
		want(step.want)
	}
	if err := os.Remove(filepath.Join(folder, mark)); err != nil {
		t.Fatal(err)
	}
	if err := publish(true, "a-0.3.0"); err == nil || !strings.Contains(err.Error(), "another origin") {
		t.Errorf("foreign folder: got %v", err)
	}
	want("a-0.2.0")
}

func TestChoose_RefusesUnknownNames(t *testing.T) {
	if _, err := choose("static,debb"); err == nil || !strings.Contains(err.Error(), `"debb"`) {
		t.Errorf("got %v", err)
	}
	if chosen, err := choose("static"); err != nil || len(chosen) != 1 {
		t.Errorf("got %v, %v", chosen, err)
	}
	if all, err := choose(""); err != nil || len(all) != len(artefacts) {
		t.Errorf("got %v, %v", all, err)
	}
}

// newClone returns a repository without commits.
func newClone(t *testing.T) string {
	t.Helper()
	clone := t.TempDir()
	output(t, clone, "git", "init", "-q")
	return clone
}

func setVersion(t *testing.T, clone, version string) {
	t.Helper()
	write(t, clone, "VERSION", version+"\n")
	commit(t, clone)
}

// commit commits all files of a clone.
func commit(t *testing.T, clone string) {
	t.Helper()
	output(t, clone, "git", "add", "-A")
	c := exec.CommandContext(t.Context(), "git", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "change")
	c.Dir, c.Env = clone, append(os.Environ(), "GIT_COMMITTER_DATE=2026-11-30T13:00:00+0100")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("git commit: %s", out)
	}
}

func opened(t *testing.T, clone string, dirty bool) *release {
	t.Helper()
	r, err := open(t.Context(), clone, dirty)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	r.talk = testWriter{t}
	return r
}

func write(t *testing.T, folder, name, content string) {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// listing returns the names in a folder without the mark, separated by blanks.
func listing(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != mark {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// output runs a command and returns its output without the last newline.
func output(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// testWriter writes to the log of a test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(text []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}
