//go:build cgo && linux && (amd64 || arm64)

package openssl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/provider/keys/keystest"
	"signet/provider/keys/openssl"
)

// A library that another user could replace is not loaded.
func TestOpen_RefusesFilesThatOthersCanReplace(t *testing.T) {
	change := func(name string, do func(path string) error) func(*testing.T, string) string {
		return func(t *testing.T, path string) string {
			if err := do(filepath.Join(filepath.Dir(path), name)); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	mode := func(m os.FileMode) func(string) error { return func(path string) error { return os.Chmod(path, m) } }
	owner := func(uid int) func(string) error {
		return func(path string) error { return os.Chown(path, uid, -1) }
	}
	cases := map[string]struct {
		prepare func(t *testing.T, path string) string
		text    string // "" if the library may be used
	}{
		"as it is":               {change("libshim.so", mode(0o644)), ""},
		"file of a group":        {change("libshim.so", mode(0o664)), "has mode 0664"},
		"file of everybody":      {change("libshim.so", mode(0o646)), "has mode 0646"},
		"folder of a group":      {change(".", mode(0o775)), "has mode 0775"},
		"folder of everybody":    {change(".", mode(0o757)), "has mode 0757"},
		"folder above":           {change("..", mode(0o777)), "has mode 0777"},
		"folder like /tmp":       {change(".", mode(0o777|os.ModeSticky)), ""},
		"link to a private file": {link, ""},
		"link to a public file": {func(t *testing.T, path string) string {
			return link(t, change("libshim.so", mode(0o666))(t, path))
		}, "has mode 0666"},
	}
	if os.Geteuid() == 0 {
		cases["file of another user"] = struct {
			prepare func(t *testing.T, path string) string
			text    string
		}{change("libshim.so", owner(12345)), "belongs to user 12345"}
		cases["folder of another user"] = struct {
			prepare func(t *testing.T, path string) string
			text    string
		}{change(".", owner(12345)), "belongs to user 12345"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := c.prepare(t, keystest.Libcrypto(t, ""))
			f := openssl.Open(openssl.Config{Paths: []string{path}}).Failure()
			if c.text == "" && f != nil || c.text != "" && (f == nil || f.Reason != openssl.NoLibrary || !strings.Contains(f.Err.Error(), c.text)) {
				t.Errorf("failure %+v, want %q", f, c.text)
			}
		})
	}
}

func link(t *testing.T, path string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "libcrypto.so.3")
	if err := os.Symlink(path, name); err != nil {
		t.Fatal(err)
	}
	return name
}
