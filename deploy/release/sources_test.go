package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

const deadMirror = "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"

// The packages in images come from the stated mirror and not from the sources of the machine.
func TestSources_AreTheStatedOnes(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := &release{work: t.TempDir(), source: root, talk: testWriter{t}}
	apt, err := r.aptGet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libc6", "libssl3", "ca-certificates"} {
		address := must(t, apt(r.work, "download", "--print-uris", name+":"+fastTarget.arch))
		if !strings.HasPrefix(address, "'http://deb.debian.org/debian") {
			t.Errorf("%s comes from %s", name, address)
		}
	}
}

// A mirror that does not answer stops the build if the publisher has named it. The mirror of the
// repository is replaced by the sources of the machine, and the build says so.
func TestSources_MirrorDoesNotAnswer(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "own.sources", deadMirror)
	write(t, folder, debianSources, deadMirror)
	var said bytes.Buffer
	r := &release{work: t.TempDir(), source: folder, talk: &said, debian: filepath.Join(folder, "own.sources")}
	if _, err := r.aptGet(t.Context()); err == nil || !strings.Contains(err.Error(), r.debian) || said.Len() > 0 {
		t.Errorf("named mirror: got %v, %q", err, &said)
	}
	r.debian = filepath.Join(folder, "missing")
	if _, err := r.aptGet(t.Context()); err == nil || !strings.Contains(err.Error(), r.debian) {
		t.Errorf("missing file: got %v", err)
	}
	r.debian = ""
	apt, err := r.aptGet(t.Context())
	if err != nil || !strings.Contains(said.String(), "this machine's own sources") {
		t.Fatalf("mirror of the repository: got %v, %q", err, &said)
	}
	if c := apt(folder, "download", "libc6"); strings.Contains(strings.Join(c.Args, " "), "SourceList") {
		t.Errorf("got %q", c.Args)
	}
}

func TestImage_RefusesOldCLibrary(t *testing.T) {
	for _, c := range []struct {
		packages []debianPackage
		right    bool
	}{
		{[]debianPackage{{name: "base-files", version: "1"}, {name: "libc6", version: "2.36-9+deb12u10"}}, true},
		{[]debianPackage{{name: "libc6", version: "2.9-25"}}, false},
		{[]debianPackage{{name: "base-files", version: "99"}}, false},
	} {
		if err := checkGlibc(t.Context(), c.packages, "2.34"); (err == nil) != c.right {
			t.Errorf("%v: got %v", c.packages, err)
		}
	}
}
