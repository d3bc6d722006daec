package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// atPath writes a file, with the folders that it needs.
func atPath(t *testing.T, content string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// pathSetting is a setting, or an option of connectors, whose value names a file.
type pathSetting struct {
	key    string
	yaml   string // of the settings file, with %s for the path
	folder bool
	shown  string // its key in config show, or ""
}

// pathSettings are all of them, by the tables.
func pathSettings(t *testing.T) []pathSetting {
	t.Helper()
	var list []pathSetting
	for _, s := range settings {
		if (s.unit == "path") != (s.paths != nil) && s.key != "database" {
			t.Errorf("%s is a %s, and what is relative in it is found: %v", s.key, s.unit, s.paths != nil)
		}
		if s.unit == "path" {
			list = append(list, pathSetting{key: s.key, yaml: yamlOf(s.key, "%s"), folder: s.folder, shown: s.key})
		}
	}
	for _, o := range connectorOptions {
		if o.unit == "path" {
			t.Errorf("connectors.%s names a path, and this test does not write it", o.key)
		}
		if o.secret {
			yaml := "connectors:\n  - {id: a, type: oidc, client_id: a, issuer: https://a.example.com, " + o.key + "_file: %s}\n"
			list = append(list, pathSetting{key: "connectors." + o.key + "_file", yaml: yaml})
		}
	}
	for _, parameter := range databasePaths {
		list = append(list, pathSetting{key: "database", yaml: "database: postgres://db.example.com/signet?" + parameter + "=%s\n"})
	}
	if len(list) < 7 {
		t.Fatalf("only %d settings name a file", len(list))
	}
	return list
}

// In a settings file a relative path is relative to that file, however the file is named;
// in a variable and in a flag it is relative to the working directory.
func TestPaths_InAFileAreRelativeToTheFile(t *testing.T) {
	at := t.TempDir()
	working := filepath.Join(at, "working")
	atPath(t, "", working, "x")
	t.Chdir(working)
	for i, s := range pathSettings(t) {
		folder := filepath.Join(at, fmt.Sprint("etc", i))
		named := atPath(t, "what the file holds", folder, "below", "named")
		file := atPath(t, fmt.Sprintf(s.yaml, "below/named"), folder, "signet.yaml")
		link := filepath.Join(at, fmt.Sprint("linked", i), "signet.yaml")
		relative := filepath.Join("..", fmt.Sprint("etc", i), "signet.yaml")
		for how, name := range map[string]string{"whole": file, "relative": relative} {
			for said, ok := range map[string]bool{"below/named": true, "../" + filepath.Base(folder) + "/below/named": true, named: true, "below/other": false} {
				atPath(t, fmt.Sprintf(s.yaml, said), file)
				s.expect(t, how+" "+said, Read(Sources{File: name}), named, ok)
			}
		}
		// A link belongs to the folder in which it was found, as the files beside it do.
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		atPath(t, fmt.Sprintf(s.yaml, "below/named"), file)
		beside := atPath(t, "what the file holds", filepath.Dir(link), "below", "named")
		s.expect(t, "linked", Read(Sources{File: link}), beside, true)
	}
}

// expect checks that the setting names a file, or that it does not.
func (s pathSetting) expect(t *testing.T, how string, r *Reading, named string, want bool) {
	t.Helper()
	c := r.Config
	told := fmt.Sprintf("%s|%s|%s|%s|%s", c.DataDir, c.TLS, r.process.given["keys.pkcs11.module"].text, r.process.given["outbound.extra_ca"].text, r.process.given["database"].text)
	for _, one := range r.connectors {
		told += one.into.ClientSecret.Reveal() + one.into.ClientKey.Reveal()
	}
	for _, m := range r.Mistakes {
		told += "|" + m.Text
	}
	escaped := strings.ReplaceAll(named, "/", "%2F")
	found := strings.Contains(told, named) || strings.Contains(told, escaped) || strings.Contains(told, "what the file holds")
	if found != want {
		t.Errorf("%s, %s: names %s: %v, want %v: %s", s.key, how, named, found, want, told)
	}
	if want && s.shown != "" {
		for _, shown := range r.ShownSettings() {
			if shown.Key == s.shown && shown.Value != named {
				t.Errorf("%s, %s: shown as %s, want %s", s.key, how, shown.Value, named)
			}
		}
	}
}

func TestPaths_OfVariablesAndFlagsAreRelativeToTheWorkingDirectory(t *testing.T) {
	at := t.TempDir()
	file := atPath(t, "", at, "etc", "signet.yaml")
	named := atPath(t, "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", at, "working", "named")
	t.Chdir(filepath.Dir(named))
	for _, s := range settings {
		if s.unit == "path" {
			p := pathSetting{key: s.key, shown: s.key}
			p.expect(t, "variable", Read(Sources{File: file, Env: map[string]string{s.variable(): "named"}}), named, true)
			p.expect(t, "flag", Read(Sources{File: file, Flags: map[string]string{s.key: "named"}}), named, true)
		}
	}
	if c, err := readConfig(Sources{File: file, Env: map[string]string{"SIGNET_MASTER_KEY_FILE": "named"}}); err != nil || c.Master.Key.Reveal() == "" {
		t.Errorf("the file of a secret: %v", err)
	}
	if c, err := readConfig(Sources{File: file}); err != nil || c.DataDir != filepath.Join(filepath.Dir(named), "signet-data") {
		t.Errorf("by default the data is in %s, %v", c.DataDir, err)
	}
}

// A relative path of a file meant another place in the releases before. Where only that
// place holds what the setting names, nothing goes on as if nothing had been there.
func TestPaths_ThatMovedWithTheirMeaningStopTheStart(t *testing.T) {
	at := t.TempDir()
	working := filepath.Join(at, "working")
	atPath(t, "", working, "x")
	t.Chdir(working)
	for i, s := range pathSettings(t) {
		if s.folder {
			continue // see below
		}
		name := fmt.Sprint("named", i)
		old := atPath(t, "old", working, name)
		file := atPath(t, fmt.Sprintf(s.yaml, name), at, "etc", "signet.yaml")
		stopped := func() string {
			err := Read(Sources{File: file}).Err()
			if err == nil || !strings.Contains(err.Error(), "is relative to the folder of this file") {
				return ""
			}
			return err.Error()
		}
		if said := stopped(); !strings.Contains(said, old) || !strings.Contains(said, filepath.Join(at, "etc", name)) || !strings.Contains(said, "signet.yaml:") {
			t.Errorf("%s: said %q", s.key, said)
		}
		atPath(t, fmt.Sprintf(s.yaml, old), file)
		if said := stopped(); said != "" {
			t.Errorf("%s, with its whole path: %s", s.key, said)
		}
		atPath(t, fmt.Sprintf(s.yaml, name), file)
		atPath(t, "new", at, "etc", name)
		if said := stopped(); said != "" {
			t.Errorf("%s, which is there: %s", s.key, said)
		}
	}
}

func TestPaths_ADataDirThatMovedWithItsMeaningStopsTheStart(t *testing.T) {
	const key = "master.key"
	for name, c := range map[string]struct {
		beside, working []string // what the folders hold; nil for no folder
		masterKey       bool
		stops           bool
	}{
		"a first start":                     {},
		"a first start in folders":          {beside: []string{"x"}, working: []string{"x"}},
		"moved":                             {working: []string{key, "signet.db"}, stops: true},
		"moved, PostgreSQL":                 {working: []string{key}, stops: true},
		"moved, beside an empty folder":     {beside: []string{"x"}, working: []string{key, "signet.db"}, stops: true},
		"moved, beside a command's remains": {beside: []string{"signet.db"}, working: []string{key, "signet.db"}, stops: true},
		"the file's":                        {beside: []string{key, "signet.db"}},
		"both, as of two installations":     {beside: []string{key, "signet.db"}, working: []string{key, "signet.db"}},
		"only remains":                      {working: []string{"signet.db"}},
		"moved, key elsewhere":              {working: []string{"signet.db"}, masterKey: true, stops: true},
		"the file's, key elsewhere":         {beside: []string{"signet.db"}, working: []string{"signet.db"}, masterKey: true},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			working := filepath.Join(at, "working")
			atPath(t, "", working, "x")
			t.Chdir(working)
			for dir, files := range map[string][]string{filepath.Join(at, "etc", "data"): c.beside, filepath.Join(working, "data"): c.working} {
				for _, file := range files {
					atPath(t, "", dir, file)
				}
			}
			from := Sources{File: atPath(t, "data_dir: data\n", at, "etc", "signet.yaml"), Env: map[string]string{}}
			if c.masterKey {
				from.Env["SIGNET_MASTER_KEY"] = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
			}
			read := Read(from)
			err := read.Err()
			if (err != nil) != c.stops || read.Config.DataDir != filepath.Join(at, "etc", "data") {
				t.Errorf("%s, %v", read.Config.DataDir, err)
			}
			if err != nil && !strings.Contains(err.Error(), "signet.yaml:1: data_dir: is relative to the folder of this file") {
				t.Error(err)
			}
			if err != nil && !strings.Contains(err.Error(), "write data_dir: "+filepath.Join(working, "data")) {
				t.Errorf("does not say what to write: %v", err)
			}
			from.Flags = map[string]string{"data_dir": "data"} // a value that is not in force stops nothing
			if read := Read(from); read.Err() != nil || read.Config.DataDir != filepath.Join(working, "data") {
				t.Errorf("by flag: %s, %v", read.Config.DataDir, read.Err())
			}
		})
	}
}
