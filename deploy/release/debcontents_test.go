package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// checkContents checks modes, owners and times of the files, and what the package needs.
func checkContents(t *testing.T, file string) {
	t.Helper()
	seen := map[string]bool{}
	var at time.Time
	archive := tar.NewReader(strings.NewReader(must(t, exec.Command("dpkg-deb", "--fsys-tarfile", file))))
	for header, err := archive.Next(); err == nil; header, err = archive.Next() {
		name := strings.TrimPrefix(header.Name, ".")
		seen[name] = true
		mode := fs.FileMode(0o644)
		if header.Typeflag == tar.TypeDir || name == "/usr/bin/signet" {
			mode = 0o755
		}
		if got := fs.FileMode(header.Mode).Perm(); got != mode || header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s: mode %v, owner %d:%d", name, got, header.Uid, header.Gid)
		}
		if at.IsZero() {
			at = header.ModTime
		}
		if !header.ModTime.Equal(at) {
			t.Errorf("%s has the time %s, others %s", name, header.ModTime, at)
		}
	}
	for _, name := range []string{
		"/usr/bin/signet", "/etc/signet/signet.yaml", "/usr/lib/systemd/system/signet.service", "/usr/lib/systemd/system/signet.socket", "/usr/lib/sysusers.d/signet.conf",
		"/usr/lib/tmpfiles.d/signet.conf", "/usr/share/bash-completion/completions/signet", "/usr/share/zsh/vendor-completions/_signet",
		"/usr/share/fish/vendor_completions.d/signet.fish", "/usr/share/man/man1/signet.1.gz", "/usr/share/doc/signet/copyright", "/usr/share/doc/signet/changelog.gz",
		"/usr/share/doc/signet/docs/operation.md", "/usr/share/doc/signet/CHANGELOG.md", "/usr/share/doc/signet/NOTICE",
	} {
		if !seen[name] {
			t.Errorf("the package has no %s", name)
		}
	}
	checkReferences(t, file, seen)
	if needs := must(t, exec.Command("dpkg-deb", "--field", file, "Depends")); !regexp.MustCompile(`^libc6 \(>= 2\.[0-9]+\), `).MatchString(needs) {
		t.Errorf("it depends on %s", needs)
	}
	if conffiles := must(t, exec.Command("dpkg-deb", "--info", file, "conffiles")); conffiles != "/etc/signet/signet.yaml\n" {
		t.Errorf("conffiles are %q", conffiles)
	}
}

var (
	shownDocument = regexp.MustCompile(`/usr/share/doc/signet(?:/[A-Za-z0-9/._-]*[A-Za-z0-9])?`)
	linkedPage    = regexp.MustCompile(`\]\(([^()#: ]+\.md|[^()#: ]*deploy/(?:proxy|compose)[^()#: ]*)`)
)

// checkReferences checks that the package contains the documents that its files name, and the
// pages and examples to which its pages link.
func checkReferences(t *testing.T, file string, seen map[string]bool) {
	t.Helper()
	named, linked := 0, 0
	has := func(from, to string) {
		t.Helper()
		if !seen[to] && !seen[to+"/"] {
			t.Errorf("%s refers to %s, which the package does not contain", from, to)
		}
	}
	archive := tar.NewReader(strings.NewReader(must(t, exec.Command("dpkg-deb", "--fsys-tarfile", file))))
	for header, err := archive.Next(); err == nil; header, err = archive.Next() {
		name := strings.TrimPrefix(header.Name, ".")
		if header.Typeflag != tar.TypeReg || name == "/usr/bin/signet" {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			content = []byte(output(t, "", "sh", "-c", `dpkg-deb --fsys-tarfile "$0" | tar xO ".$1" | gunzip`, file, name))
		}
		for _, document := range shownDocument.FindAllString(string(content), -1) {
			has(name, document)
			named++
		}
		if strings.HasSuffix(name, ".md") {
			for _, link := range linkedPage.FindAllStringSubmatch(string(content), -1) {
				if to := path.Join(path.Dir(name), link[1]); !strings.HasPrefix(to, "/usr/share/doc/signet/sdk/") { // of the package for npm
					has(name, to)
					linked++
				}
			}
		}
	}
	if named < 5 || linked < 50 {
		t.Errorf("found %d names of documents and %d links", named, linked)
	}
}

// checkLintian runs Debian's check of packages. Errors fail the test.
func checkLintian(t *testing.T, file string) {
	t.Helper()
	c := exec.Command("lintian", "--allow-root", "--fail-on", "error", "--tag-display-limit", "0", file)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out.String())
	}
	t.Log(out.String())
}

// TestUnit_Sandbox has systemd judge the unit: it has no mistake, and its exposure is at most 2.0.
func TestUnit_Sandbox(t *testing.T) {
	const unit = "../systemd/signet.service"
	must(t, exec.Command("systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20", unit))
	folder := t.TempDir()
	for _, name := range []string{"signet.service", "signet.socket"} {
		text, err := os.ReadFile("../systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/usr/bin/signet"), []byte("/bin/true")) // verify wants a program that exists
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(folder, "signet.service"), filepath.Join(folder, "signet.socket"))
	if out, err := c.CombinedOutput(); err != nil || strings.Contains(string(out), "signet.") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
