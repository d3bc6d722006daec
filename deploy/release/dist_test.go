package main

import (
	"context"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// whole is a release that all tests of artefacts share.
var whole struct {
	sync.Mutex
	r    *release
	done map[string]bool
}

// built builds artefacts of the working tree, each only once for all tests.
func built(t *testing.T, names ...string) *release {
	t.Helper()
	whole.Lock()
	defer whole.Unlock()
	ctx := context.WithoutCancel(t.Context())
	if whole.r == nil {
		r, err := open(ctx, ".", true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk, r.contact = os.Stderr, "https://signet.example/security"
		whole.r, whole.done = r, map[string]bool{}
	}
	for _, a := range artefacts {
		if slices.Contains(names, a.name) && !whole.done[a.name] {
			if err := a.build(whole.r, ctx); err != nil {
				t.Fatal(err)
			}
			whole.done[a.name] = true
		}
	}
	return whole.r
}

// The second build has nothing in common with the first but the commit: it runs in another
// folder, with an empty build cache, another umask, time zone and language.
func TestRelease_SameBytesInOtherSurroundings(t *testing.T) {
	r := built(t, names(artefacts)...)
	clone := filepath.Join(t.TempDir(), "a folder with another name", "signet")
	output(t, "", "git", "-c", "safe.directory=*", "clone", "-q", "--shared", r.root, clone)
	output(t, "", "git", "-C", clone, "rm", "-rq", "--cached", ".")
	output(t, "", "cp", "-a", r.source+"/.", clone)
	output(t, "", "git", "-C", clone, "reset", "-q")
	modules := filepath.Join(clone, "sdk/react/node_modules")
	if err := os.RemoveAll(modules); err != nil {
		t.Fatal(err)
	}
	output(t, "", "cp", "-a", filepath.Join(r.root, "sdk/react/node_modules")+"/.", modules)

	out := filepath.Join(t.TempDir(), "out")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", `umask 077; exec "$0" -dirty -contact https://signet.example/security -out "$1"`, program, out)
	c.Dir = filepath.Join(clone, "deploy/release")
	c.Env = append(os.Environ(), "GOCACHE="+t.TempDir(), "TMPDIR="+t.TempDir(), "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "CGO_CFLAGS=-O0", "SOURCE_DATE_EPOCH=1", "GOFLAGS=", asRelease+"=yes")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("second build: %v\n%s", err, text)
	}
	first, second := contents(t, r.out), contents(t, out)
	delete(second, mark)
	if len(first) < len(artefacts) {
		t.Errorf("got %d artefacts", len(first))
	}
	for name, sum := range first {
		if second[name] != sum {
			t.Errorf("%s differs between the builds", name)
		}
	}
	for name := range second {
		if _, ok := first[name]; !ok {
			t.Errorf("only the second build has %s", name)
		}
	}
}

// contents returns the sums of the files in a folder.
func contents(t *testing.T, folder string) map[string][32]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string][32]byte{}
	for _, e := range entries {
		sums[e.Name()] = sha256.Sum256(read(t, filepath.Join(folder, e.Name())))
	}
	return sums
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
