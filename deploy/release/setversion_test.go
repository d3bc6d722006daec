package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSetVersion_ChangesAllPlacesOrNone(t *testing.T) {
	root := t.TempDir()
	files := []string{"CHANGELOG.md"}
	for _, p := range places {
		files = append(files, p.file)
	}
	before := map[string]string{}
	for _, name := range files {
		before[name] = string(read(t, filepath.Join("../..", name)))
		write(t, root, name, before[name])
	}
	old := strings.TrimSpace(before["VERSION"])
	day := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)

	for _, wrong := range []string{"", "v99.0.0", "99.0", "99.0.0-rc1", old} {
		if err := setVersionOf(root, wrong, day); err == nil {
			t.Errorf("the version %q was accepted", wrong)
		}
	}
	for _, name := range files {
		if got := string(read(t, filepath.Join(root, name))); got != before[name] {
			t.Fatalf("a refused version changed %s", name)
		}
	}
	if err := setVersionOf(root, "99.0.0", day); err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		got := string(read(t, filepath.Join(root, p.file)))
		if n := strings.Count(got, "99.0.0"); n != p.times {
			t.Errorf("%s names the new version %d times, want %d", p.file, n, p.times)
		}
		if back := strings.ReplaceAll(got, "99.0.0", old); back != before[p.file] {
			t.Errorf("%s changed in other places", p.file)
		}
	}
	if got := string(read(t, filepath.Join(root, "CHANGELOG.md"))); !strings.Contains(got, "## Unreleased\n\n## 99.0.0 (2030-01-02)\n") || !strings.Contains(got, "## "+old+" (") {
		t.Errorf("got %.400q", got)
	}
	if err := os.Remove(filepath.Join(root, "VERSION")); err != nil {
		t.Fatal(err)
	}
	if err := setVersionOf(root, "99.1.0", day); err == nil {
		t.Error("a missing file was accepted")
	}
}
