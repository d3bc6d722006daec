package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/cli"
)

// TestReadme_CommandsExist holds every signet command that README.md shows against
// the commands and flags there are.
func TestReadme_CommandsExist(t *testing.T) {
	shown := regexp.MustCompile("signet ((?:serve|dev|setup-link|user|client|session|connector|keys|events|config|migrate|backup|restore|health|completion|version)[^\n\x60<]*)") // to the end of the line or of the code
	lines := shown.FindAllStringSubmatch(readme(t), -1)
	if len(lines) < 6 {
		t.Fatalf("found only %d commands in README.md: %q", len(lines), lines)
	}
	for _, line := range lines {
		words := strings.Fields(line[1])
		var flags, path []string
		for _, word := range words {
			switch {
			case strings.HasPrefix(word, "--"):
				flags = append(flags, strings.TrimPrefix(word, "--"))
			case len(flags) == 0:
				path = append(path, word)
			}
		}
		command, _, err := (&program{&cli.Program{}}).rootCommand().Find(path)
		if err != nil || command.HasSubCommands() {
			t.Errorf("README.md shows signet %s: there is no such command (%v)", line[1], err)
			continue
		}
		for _, flag := range flags {
			if command.Flags().Lookup(flag) == nil && flag != "help" {
				t.Errorf("README.md shows signet %s: it has no flag --%s", line[1], flag)
			}
		}
	}
}

// TestReadme_NamesTheClientsThatWereTried keeps the table of clients in README.md equal
// to those that the tests run, in the versions that are locked.
func TestReadme_NamesTheClientsThatWereTried(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "<!-- parties:")
	table, _, found := strings.Cut(table, "<!-- /parties -->")
	if !found {
		t.Fatal("README.md has no table of clients")
	}
	var locked string
	for _, lock := range []string{"browser/package.json", "python/requirements.txt", "go/go.mod"} {
		text, err := os.ReadFile("testdata/" + lock)
		if err != nil {
			t.Fatal(err)
		}
		locked += string(text)
	}
	locked = strings.ToLower(locked)
	rows := regexp.MustCompile(`(?m)^\| ([^ |]+)(?: \(([^)]+)\))? \| ([^|]+) \|`).FindAllStringSubmatch(table, -1)[1:] // without the heading
	if len(rows) != len(parties) {
		t.Errorf("README.md lists %d clients, and the tests run %d", len(rows), len(parties))
	}
	for i, row := range rows {
		name, other, version := row[1], row[2], row[3]
		if i < len(parties) && name != parties[i].name {
			t.Errorf("row %d of README.md is %s, want %s", i+1, name, parties[i].name)
		}
		packages := regexp.QuoteMeta(strings.ToLower(name)) + "|" + regexp.QuoteMeta(strings.ToLower(other))
		lock := regexp.MustCompile(`(?:` + packages + `)(?:/v\d+ v|": "|==)` + regexp.QuoteMeta(version) + `\b`)
		if version != "Debian 12" && !lock.MatchString(locked) {
			t.Errorf("README.md says that %s was tested as %s; no lock file does", name, version)
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
