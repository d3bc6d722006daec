package main

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMakefile_ListsTaggedPackages checks that make lint reads each file that only a build with
// PKCS #11 compiles.
func TestMakefile_ListsTaggedPackages(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^tagged := (.+)$`).FindSubmatch(makefile)
	if list == nil {
		t.Fatal("the Makefile has no list of tagged packages")
	}
	tagged := map[string]bool{}
	constraint := regexp.MustCompile(`(?m)^//go:build .*\bpkcs11\b`)
	err = fs.WalkDir(os.DirFS("../.."), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		content, err := os.ReadFile(filepath.Join("../..", path))
		names := bytes.Contains(content, []byte("pkcs11")) // quicker than the regular expression
		if names && constraint.Match(content) {
			tagged["./"+filepath.Dir(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(maps.Keys(tagged))
	if got := strings.Fields(string(list[1])); len(want) == 0 || !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("the Makefile lists %q, but the files are in %q", got, want)
	}
}
