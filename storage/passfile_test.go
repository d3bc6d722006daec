package storage_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/storage"
)

// A password file that the URL or PGPASSFILE names must exist, and be readable by its owner
// only. It is not looked at if the URL has a password.
func TestCheckURL_PasswordFile(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte("*:*:*:*:pw\n"), mode))
		must(t, os.Chmod(path, mode))
		return path
	}
	good, open, missing := write("good", 0o600), write("open", 0o640), filepath.Join(folder, "missing")
	for _, c := range []struct{ passfile, user, wrong string }{
		{good, "signet", ""},
		{open, "signet", "chmod 600"},
		{missing, "signet", "cannot be read"},
		{folder, "signet", "is a folder"},
		{missing, "signet:pw", ""},
	} {
		for name, check := range map[string]func() error{
			"parameter": func() error {
				return storage.CheckURL("postgres://" + c.user + "@db/signet?passfile=" + url.QueryEscape(c.passfile))
			},
			"PGPASSFILE": func() error {
				t.Setenv("PGPASSFILE", c.passfile)
				defer os.Unsetenv("PGPASSFILE")
				return storage.CheckURL("postgres://" + c.user + "@db/signet")
			},
		} {
			err := check()
			if (err == nil) != (c.wrong == "") || err != nil && (!strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "pw")) {
				t.Errorf("%s %s: got %v, want %q", name, filepath.Base(c.passfile), err, c.wrong)
			}
		}
	}
}
