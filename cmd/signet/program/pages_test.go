package program

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/cli"
)

// TestPages_ShowCommandsThatExist checks every signet command in README.md and in the pages
// of docs, also those within a sentence: the command and its flags must exist.
func TestPages_ShowCommandsThatExist(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("signet ((?:serve|dev|setup-link|user|client|session|connector|keys|events|mail|webhook|passkeys|config|migrate|backup|restore|end-everything|health|completion|version)[^\n\x60<]*)") // to the end of the line or of the code
	found := 0
	for _, page := range append(pages, "../../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shown.FindAllStringSubmatch(string(text), -1) {
			found++
			checkCommand(t, filepath.Base(page), line[1])
		}
	}
	if found < 40 {
		t.Errorf("found only %d commands", found)
	}
}

// checkCommand checks the command and the flags of one line.
func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	var flags, path []string
	for _, word := range strings.Fields(line) {
		switch {
		case strings.HasPrefix(word, "--"):
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			flags = append(flags, name)
		case len(flags) == 0:
			path = append(path, word)
		}
	}
	command, _, err := (&program{&cli.Program{}}).rootCommand().Find(path)
	if err != nil || command.HasSubCommands() {
		t.Errorf("%s shows signet %s: there is no such command (%v)", page, line, err)
		return
	}
	for _, flag := range flags {
		if command.Flags().Lookup(flag) == nil && flag != "help" {
			t.Errorf("%s shows signet %s: it has no flag --%s", page, line, flag)
		}
	}
}
