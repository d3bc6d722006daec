package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrevious_IsTheCommitThatSetTheOtherVersion(t *testing.T) {
	clone := newClone(t)
	write(t, clone, "before", "text")
	commit(t, clone)
	setVersion(t, clone, "0.1.0")
	if _, _, err := previousCommit(t.Context(), clone); !errors.Is(err, errFirst) {
		t.Errorf("first version: got %v", err)
	}
	first := output(t, clone, "git", "rev-parse", "HEAD")
	write(t, clone, "later", "text")
	commit(t, clone)
	for _, step := range []struct{ version, wantVersion, wantCommit string }{
		{"0.2.0", "0.1.0", first},
		{"0.2.0\n", "0.1.0", first}, // the same version, written in another way
		{"0.3.0", "0.2.0", ""},
	} {
		setVersion(t, clone, step.version)
		write(t, clone, "work on "+step.version, "text")
		commit(t, clone)
		got, version, err := previousCommit(t.Context(), clone)
		if err != nil || version != step.wantVersion || step.wantCommit != "" && got != step.wantCommit {
			t.Errorf("%q: got %s %s, %v", step.version, version, got, err)
		}
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	output(t, "", "git", "clone", "-q", "--depth", "1", "file://"+clone, shallow)
	if _, _, err := previousCommit(t.Context(), shallow); !errors.Is(err, errShallow) {
		t.Errorf("shallow clone: got %v", err)
	}
}

// A clone of this repository gets another version, and then builds the one that it had before.
func TestPrevious_IsBuiltFromAClone(t *testing.T) {
	root := output(t, "", "git", "-c", "safe.directory=*", "rev-parse", "--show-toplevel")
	clone := filepath.Join(t.TempDir(), "clone")
	output(t, "", "git", "-c", "safe.directory=*", "clone", "-q", root, clone)
	before := strings.TrimSpace(string(read(t, filepath.Join(clone, "VERSION"))))
	released := output(t, clone, "git", "log", "-1", "--format=%H", "--", "VERSION")
	setVersion(t, clone, "99.0.0")

	program := filepath.Join(t.TempDir(), "previous")
	version, err := buildPrevious(t.Context(), clone, program, target{os: "linux", arch: "amd64"}, os.Stderr)
	if err != nil || version != before {
		t.Fatalf("got %s, %v, want %s", version, err, before)
	}
	if got := versionOf(t, program); got.Commit != released {
		t.Errorf("got %+v, want the commit %s", got, released)
	}
}
