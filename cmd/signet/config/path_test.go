package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// atPath writes a file and creates its folders. It returns the path.
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

// fileContent is the content of the file that a setting names.
const fileContent = "content of the file"

// pathSetting is a setting, or an option of a connector, with a path in its value.
type pathSetting struct {
	key    string
	yaml   string // a settings file, with %s for the path
	folder bool
	shown  string // its key in config show; "" if it is not shown
}

// pathSettings returns all settings of the tables that have a path in their value.
func pathSettings(t *testing.T) []pathSetting {
	t.Helper()
	var list []pathSetting
	for _, s := range settings {
		if (s.unit == "path") != (s.paths != nil) && s.key != "database" && s.key != "listen" {
			t.Errorf("%s has the unit %s, but relative paths are resolved: %v", s.key, s.unit, s.paths != nil)
		}
		if s.unit == "path" {
			list = append(list, pathSetting{key: s.key, yaml: yamlOf(s.key, "%s"), folder: s.folder, shown: s.key})
		}
	}
	list = append(list, pathSetting{key: "listen", yaml: "listen: unix:%s\n", folder: true})
	for _, o := range connectorOptions {
		if o.unit == "path" {
			t.Errorf("connectors.%s is a path, but this test does not write it", o.key)
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
		t.Fatalf("got only %d settings with a path", len(list))
	}
	return list
}

// A relative path in a settings file is relative to that file, even if the file is named by a
// relative path or by a link.
func TestPaths_InAFileAreRelativeToTheFile(t *testing.T) {
	at := t.TempDir()
	working := filepath.Join(at, "working")
	atPath(t, "", working, "x")
	t.Chdir(working)
	for i, s := range pathSettings(t) {
		folder := filepath.Join(at, fmt.Sprint("etc", i))
		named := atPath(t, fileContent, folder, "below", "named")
		file := atPath(t, fmt.Sprintf(s.yaml, "below/named"), folder, "signet.yaml")
		link := filepath.Join(at, fmt.Sprint("linked", i), "signet.yaml")
		relative := filepath.Join("..", fmt.Sprint("etc", i), "signet.yaml")
		for how, name := range map[string]string{"absolute": file, "relative": relative} {
			for path, ok := range map[string]bool{"below/named": true, "../" + filepath.Base(folder) + "/below/named": true, named: true, "below/other": false} {
				atPath(t, fmt.Sprintf(s.yaml, path), file)
				s.expect(t, how+" "+path, Read(Sources{File: name}), named, ok)
			}
		}
		// For a link, the folder of the link counts.
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		atPath(t, fmt.Sprintf(s.yaml, "below/named"), file)
		beside := atPath(t, fileContent, filepath.Dir(link), "below", "named")
		s.expect(t, "linked", Read(Sources{File: link}), beside, true)
	}
}

// expect checks that the settings name a file, or that they do not.
func (s pathSetting) expect(t *testing.T, how string, r *Reading, named string, want bool) {
	t.Helper()
	c := r.Config
	values := fmt.Sprintf("%s|%s|%s|%s|%s|%s", c.Listen, c.DataDir, c.TLS, r.process.given["keys.pkcs11.module"].text, r.process.given["outbound.extra_ca"].text, r.process.given["database"].text)
	for _, one := range r.connectors {
		values += one.target.ClientSecret.Reveal() + one.target.ClientKey.Reveal()
	}
	for _, m := range r.Mistakes {
		values += "|" + m.Text
	}
	escaped := strings.ReplaceAll(named, "/", "%2F")
	found := strings.Contains(values, named) || strings.Contains(values, escaped) || strings.Contains(values, fileContent)
	if found != want {
		t.Errorf("%s, %s: names %s: got %v, want %v: %s", s.key, how, named, found, want, values)
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
		t.Errorf("the default data_dir is %s, %v", c.DataDir, err)
	}
}

// In earlier releases, a relative path in a file was relative to the working directory. If only
// that old place has the file, the start stops.
func TestPaths_OldMeaningStopsTheStart(t *testing.T) {
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
		mistake := func() string {
			err := Read(Sources{File: file}).Err()
			if err == nil || !strings.Contains(err.Error(), "is relative to the folder of this file") {
				return ""
			}
			return err.Error()
		}
		if got := mistake(); !strings.Contains(got, old) || !strings.Contains(got, filepath.Join(at, "etc", name)) || !strings.Contains(got, "signet.yaml:") {
			t.Errorf("%s: got %q", s.key, got)
		}
		atPath(t, fmt.Sprintf(s.yaml, old), file)
		if got := mistake(); got != "" {
			t.Errorf("%s, with an absolute path: %s", s.key, got)
		}
		atPath(t, fmt.Sprintf(s.yaml, name), file)
		atPath(t, "new", at, "etc", name)
		if got := mistake(); got != "" {
			t.Errorf("%s, which exists beside the file: %s", s.key, got)
		}
	}
}

func TestPaths_OldMeaningOfDataDirStopsTheStart(t *testing.T) {
	const key = "master.key"
	for name, c := range map[string]struct {
		beside, working []string // files in the folders; nil for no folder
		masterKey       bool
		stops           bool
	}{
		"a first start":                           {},
		"a first start in folders":                {beside: []string{"x"}, working: []string{"x"}},
		"moved":                                   {working: []string{key, "signet.db"}, stops: true},
		"moved, PostgreSQL":                       {working: []string{key}, stops: true},
		"moved, beside an empty folder":           {beside: []string{"x"}, working: []string{key, "signet.db"}, stops: true},
		"moved, beside the database of a command": {beside: []string{"signet.db"}, working: []string{key, "signet.db"}, stops: true},
		"the file's":                              {beside: []string{key, "signet.db"}},
		"both, as of two installations":           {beside: []string{key, "signet.db"}, working: []string{key, "signet.db"}},
		"only the database of a command":          {working: []string{"signet.db"}},
		"moved, key in the settings":              {working: []string{"signet.db"}, masterKey: true, stops: true},
		"the file's, key in the settings":         {beside: []string{"signet.db"}, working: []string{"signet.db"}, masterKey: true},
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
				t.Errorf("the error does not say what to write: %v", err)
			}
			from.Flags = map[string]string{"data_dir": "data"} // the flag overrides the file, so the file stops nothing
			if read := Read(from); read.Err() != nil || read.Config.DataDir != filepath.Join(working, "data") {
				t.Errorf("by flag: %s, %v", read.Config.DataDir, read.Err())
			}
		})
	}
}
