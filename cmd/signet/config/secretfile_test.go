package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/federation"
)

// secretSources returns the sources of each setting that names a file with a secret: the variable
// with _FILE, the key with _file of a connector, the key of the certificate, and the files in the
// URL of the database.
func secretSources(t *testing.T, file, content string) map[string]Sources {
	t.Helper()
	none := fileWith(t, "")
	all := map[string]Sources{"tls.key": {File: none, Env: map[string]string{"SIGNET_TLS_CERT": file, "SIGNET_TLS_KEY": file}}}
	all["passfile"] = Sources{File: none, Env: map[string]string{"SIGNET_DATABASE": "postgres://db.example.com/signet?sslmode=verify-full&passfile=" + file}}
	all["PGPASSFILE"] = Sources{File: none, Env: map[string]string{"SIGNET_DATABASE": "postgres://db.example.com/signet?sslmode=verify-full", "PGPASSFILE": file}}
	for _, s := range settings {
		if s.secret && !strings.HasPrefix(s.key, "keys.pkcs11") { // only in builds with PKCS #11
			all[s.variable()+"_FILE"] = Sources{File: none, Env: map[string]string{s.variable() + "_FILE": file}}
		}
	}
	for _, o := range connectorOptions {
		if o.secret {
			text := fmt.Sprintf("connectors:\n  - {id: a, type: oidc, client_id: a, issuer: https://a.example.com, %s_file: %s}\n", o.key, file)
			all["connectors."+o.key] = Sources{File: fileWith(t, text)}
		}
	}
	all["SIGNET_GOOGLE_CLIENT_SECRET_FILE"] = Sources{File: none, Env: map[string]string{"SIGNET_GOOGLE_CLIENT_ID": "a", "SIGNET_GOOGLE_CLIENT_SECRET_FILE": file}}
	if err := os.WriteFile(file, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return all
}

// Each file with a secret that others can read has a warning with the command that closes it. The
// group of this process may read it, because an fsGroup of Kubernetes makes such files.
func TestSecretFile_WarnsOfAccessByOthers(t *testing.T) {
	const content = "zqxw-not-a-real-secret"
	target := filepath.Join(t.TempDir(), "secret")
	link := filepath.Join(t.TempDir(), "link") // Kubernetes mounts links
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	sources := secretSources(t, target, content)
	sources["sslkey"] = Sources{File: fileWith(t, "")}
	for name, from := range sources {
		for mode, closed := range map[os.FileMode]string{0o600: "", 0o400: "", 0o660: "", 0o640: "", 0o440: "", 0o644: "chmod 600", 0o444: "chmod 400", 0o664: "chmod 660", 0o604: "chmod 600", 0o602: "chmod 600"} {
			if err := os.Chmod(target, mode); err != nil {
				t.Fatal(err)
			}
			read := Read(from)
			if name == "sslkey" { // the driver would refuse a file without a certificate
				read.Config.Database = federation.NewSecret("postgres://db.example.com/signet?sslkey=" + target)
			}
			got := strings.Join(read.OpenFiles(), "\n")
			want := fmt.Sprintf("other users can read %s (mode %04o), which contains a secret: run: %s %[1]s", target, mode, closed)
			if closed == "" && got != "" || closed != "" && got != want {
				t.Errorf("%s with mode %04o: got %q, want %q", name, mode, got, want)
			}
			if strings.Contains(got, content) {
				t.Errorf("%s: the warning repeats the secret", name)
			}
		}
	}
	if os.Geteuid() == 0 { // an operator reads the settings of a service that runs as another user
		if err := errors.Join(os.Chown(target, 0, 4711), os.Chmod(target, 0o640)); err != nil {
			t.Fatal(err)
		}
		for name, from := range sources {
			if got := Read(from).OpenFiles(); len(got) != 0 {
				t.Errorf("%s: root is told to take the access of the service away: %q", name, got)
			}
		}
		if err := os.Chown(target, 0, os.Getegid()); err != nil {
			t.Fatal(err)
		}
	}
	for name, from := range secretSources(t, link, content) {
		if err := os.Chmod(target, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := Read(from).OpenFiles(); len(got) != 1 || !strings.Contains(got[0], link) {
			t.Errorf("%s through a link: %q", name, got)
		}
	}
}

// A file of PostgreSQL passwords that the settings name must be readable. The default file may be
// missing. No file is checked if the password comes from elsewhere.
func TestSecretFile_PasswordsOfPostgreSQL(t *testing.T) {
	home := t.TempDir()
	pgpass := filepath.Join(home, ".pgpass")
	if err := os.WriteFile(pgpass, []byte("*:*:*:*:zqxw\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const without, with = "postgres://signet@a.example.com:1,b.example.com:2/signet?sslmode=verify-full", "postgres://signet:p@db.example.com/signet?sslmode=verify-full"
	for _, c := range []struct {
		env             map[string]string
		mistake, warned string
	}{
		{map[string]string{"SIGNET_DATABASE": without + "&passfile=/nowhere"}, "SIGNET_DATABASE: names the password file /nowhere, which cannot be read", ""},
		{map[string]string{"SIGNET_DATABASE": without, "PGPASSFILE": "/nowhere"}, "PGPASSFILE: names the password file /nowhere, which cannot be read", ""},
		{map[string]string{"SIGNET_DATABASE": without, "PGPASSFILE": home}, "which is a folder", ""},
		{map[string]string{"SIGNET_DATABASE": without, "PGPASSFILE": pgpass}, "", "chmod 600 " + pgpass},
		{map[string]string{"SIGNET_DATABASE": without, "HOME": home}, "", "chmod 600 " + pgpass},
		{map[string]string{"SIGNET_DATABASE": without, "HOME": "/nowhere"}, "", ""},
		{map[string]string{"SIGNET_DATABASE": without, "PGPASSFILE": "/nowhere", "PGPASSWORD": "p"}, "", ""},
		{map[string]string{"SIGNET_DATABASE": with, "PGPASSFILE": "/nowhere", "HOME": home}, "", ""},
		{map[string]string{"SIGNET_DATABASE": without + "&password=p", "PGPASSFILE": "/nowhere"}, "", ""},
		{map[string]string{"PGPASSFILE": "/nowhere", "HOME": home}, "", ""},
		{map[string]string{"SIGNET_DATABASE": without, "SIGNET_DATABASE_PASSWORD": "p", "HOME": home}, "", ""},
		{map[string]string{"SIGNET_DATABASE": with, "SIGNET_DATABASE_PASSWORD": "p"}, "the URL in database has a password too", ""},
	} {
		read := Read(Sources{File: fileWith(t, ""), Env: c.env})
		for what, pair := range map[string][2]string{"mistakes": {fmt.Sprint(read.Err()), c.mistake}, "warnings": {strings.Join(read.OpenFiles(), "\n"), c.warned}} {
			if none := pair[0] == "" || pair[0] == "<nil>"; none != (pair[1] == "") || !strings.Contains(pair[0], pair[1]) {
				t.Errorf("%v: got the %s %q, want %q", c.env, what, pair[0], pair[1])
			}
		}
	}
}
