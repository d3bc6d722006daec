package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/settings.md")

// The tables in docs/settings.md are those of the code; -update writes them.
func TestSettings_DocumentsListEverySetting(t *testing.T) {
	const document = "../../../docs/settings.md"
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for name, want := range map[string]string{"settings": tableOf(settings), "connectors": tableOf(connectorOptions)} {
		_, rest, _ := strings.Cut(text, "<!-- "+name+":")
		_, rest, _ = strings.Cut(rest, "-->\n")
		got, _, found := strings.Cut(rest, "<!-- /"+name+" -->")
		switch {
		case !found:
			t.Fatalf("%s has no table of %s", document, name)
		case got != want && *update:
			text = strings.Replace(text, got, want, 1)
		case got != want:
			t.Errorf("the table of %s in %s is not current: go test ./cmd/signet/config -run DocumentsListEverySetting -update", name, document)
		}
	}
	if text != string(content) {
		if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSettings_DocumentNamesThoseThatNeedNoRestart keeps the list of settings that a running
// server follows equal to the table.
func TestSettings_DocumentNamesThoseThatNeedNoRestart(t *testing.T) {
	content, err := os.ReadFile("../../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(content), "## Change a value")
	part, _, _ = strings.Cut(part, "within two seconds")
	if !strings.Contains(part, "`connectors`") {
		t.Error("docs/settings.md does not say that connectors need no restart")
	}
	for _, s := range settings {
		if named := strings.Contains(part, "`"+s.key+"`"); named != s.live {
			t.Errorf("%s: docs/settings.md names it %v, the table %v", s.key, named, s.live)
		}
	}
}

func tableOf[T any](options []option[T]) string {
	var b strings.Builder
	b.WriteString("| key | default | unit | meaning |\n|---|---|---|---|\n")
	for _, s := range options {
		byDef := "–"
		if s.byDef != "" {
			byDef = "`" + s.byDef + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.key, byDef, s.unit, s.about)
	}
	return b.String()
}
