package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReadme_ListsEverySetting keeps the table of settings in README.md equal to
// the one the program reads by.
func TestReadme_ListsEverySetting(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"settings": tableOf(settings), "connectors": tableOf(connectorOptions)} {
		_, rest, _ := strings.Cut(string(text), "<!-- "+name+":")
		_, rest, _ = strings.Cut(rest, "-->\n")
		got, _, found := strings.Cut(rest, "<!-- /"+name+" -->")
		if !found {
			t.Fatalf("README.md has no table of %s", name)
		}
		if got != want {
			t.Errorf("the table of %s in README.md should be\n%s", name, want)
		}
	}
}

func tableOf[T any](options []option[T]) string {
	var b strings.Builder
	b.WriteString("| key | default | unit | is |\n|---|---|---|---|\n")
	for _, s := range options {
		byDef := "–"
		if s.byDef != "" {
			byDef = "`" + s.byDef + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.key, byDef, s.unit, s.about)
	}
	return b.String()
}
