package config

import (
	"strings"
	"testing"
)

// Each remote host of the database is looked at, also behind one of this machine.
func TestConfig_WarnsOfUnverifiedDatabases(t *testing.T) {
	for _, c := range []struct{ database, mode, want string }{
		{"postgres://signet@db.example.com/signet", "", "at db.example.com is not"},
		{"postgres://signet@db.example.com/signet", "verify-full", ""},
		{"postgres://signet@db.example.com/signet?sslmode=require", "verify-full", "at db.example.com is not"},
		{"postgres://signet@a.example.com:1,b.example.com:2/signet", "", "at a.example.com, b.example.com is not"},
		{"postgres://signet@localhost:5432,b.example.com:5432/signet", "", "at b.example.com is not"},
		{"postgres://signet@/signet?host=a.example.com,b.example.com&port=1,2", "", "at a.example.com, b.example.com is not"},
		{"postgres://signet@a.example.com:1,b.example.com:2/signet?sslmode=verify-ca", "", ""},
		{"postgres://signet@127.0.0.1/signet", "", ""},
		{"postgres://signet@/signet?host=/var/run/postgresql", "", ""},
	} {
		env := map[string]string{"SIGNET_DATABASE": c.database}
		found := ""
		for _, warning := range Read(Sources{File: fileWith(t, ""), Env: env}).Config.Warnings(c.mode) {
			if strings.Contains(warning, "database") {
				found = warning
			}
		}
		if (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s with %q: got the warning %q, want %q", c.database, c.mode, found, c.want)
		}
	}
}

func TestConfig_WarnsOfAPasswordWithoutADatabase(t *testing.T) {
	for database, want := range map[string]bool{"": true, "database: postgres://signet@localhost/signet": false} {
		c := Read(Sources{File: fileWith(t, "database_password: secret\n"+database)}).Config
		if got := strings.Contains(strings.Join(c.Warnings(""), "\n"), "database_password is set, but database is not"); got != want {
			t.Errorf("with %q the warning is there: %v, want %v", database, got, want)
		}
	}
}

// A password from a file is used together with the name of the file, which is read again.
func TestConfig_KnowsTheFileOfTheDatabasePassword(t *testing.T) {
	file := fileWith(t, "secret\n")
	const database = "postgres://signet@localhost/signet"
	for name, source := range map[string]Sources{
		"variable": {File: fileWith(t, ""), Env: map[string]string{"SIGNET_DATABASE": database, "SIGNET_DATABASE_PASSWORD_FILE": file}},
		"no file":  {File: fileWith(t, "database: "+database+"\ndatabase_password: secret\n")},
	} {
		read := Read(source)
		if read.Err() != nil || read.Config.DatabasePassword.Reveal() != "secret" {
			t.Fatalf("%s: %v", name, read.Err())
		}
		want := file
		if name == "no file" {
			want = ""
		}
		if got := read.Config.DatabasePasswordFile; got != want {
			t.Errorf("%s: got the file %q, want %q", name, got, want)
		}
	}
}
