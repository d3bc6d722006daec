package program

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

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
