package parties_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/provider/directory"
)

// TestClientsPage_ListsTestedParties checks that the table in docs/clients.md
// lists the relying parties of the tests, with the versions of the lock files.
func TestClientsPage_ListsTestedParties(t *testing.T) {
	_, table, _ := strings.Cut(signettest.Page(t, "docs/clients.md"), "<!-- parties:")
	table, _, found := strings.Cut(table, "<!-- /parties -->")
	if !found {
		t.Fatal("docs/clients.md has no table of clients")
	}
	var locked string
	for _, lock := range []string{"browser/package.json", "python/requirements.txt", "go/go.mod", "java/pom.xml"} {
		text, err := os.ReadFile("../testdata/" + lock)
		if err != nil {
			t.Fatal(err)
		}
		locked += string(text)
	}
	locked = strings.ToLower(locked)
	yesNo := map[bool]string{true: "yes", false: "no"}
	libraries := directory.Libraries()
	rows := regexp.MustCompile(`(?m)^\| ([^ |]+)(?: \(([^)]+)\))? \| ([^|]+) \|.*\| ([a-z]+|accepts ES256) \|$`).FindAllStringSubmatch(table, -1)[1:] // without the heading
	if len(rows) != len(parties) {
		t.Errorf("docs/clients.md lists %d clients, but the tests run %d", len(rows), len(parties))
	}
	if len(libraries) != len(parties) {
		t.Errorf("the list of libraries has %d, but the tests run %d", len(libraries), len(parties))
	}
	for i, row := range rows {
		name, other, version := row[1], row[2], row[3]
		if library, known := directory.FindLibrary(name); !known || yesNo[library.ES256] != row[4] {
			t.Errorf("docs/clients.md says %q for ES256 and %s, the list of libraries %v (known: %v)", row[4], name, library.ES256, known)
		}
		if i < len(parties) && name != parties[i].name {
			t.Errorf("row %d of docs/clients.md is %s, want %s", i+1, name, parties[i].name)
		}
		packages := regexp.QuoteMeta(strings.ToLower(name)) + "|" + regexp.QuoteMeta(strings.ToLower(other))
		lock := regexp.MustCompile(`(?:` + packages + `)(?:/v\d+ v|": "|==|\.version>)` + regexp.QuoteMeta(version) + `\b`)
		if version != "Debian 12" && !lock.MatchString(locked) {
			t.Errorf("docs/clients.md says that %s was tested in version %s, but no lock file has that version", name, version)
		}
	}
}
