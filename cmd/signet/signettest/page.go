package signettest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Page reads README.md or a page of docs, by its path in the repository.
func Page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Block returns the first code block in a language below a heading of a page. It fails the
// test if there is none.
func Block(t *testing.T, page, heading, language string) string {
	t.Helper()
	_, part, found := strings.Cut(Page(t, page), "\n"+heading+"\n")
	_, rest, begins := strings.Cut(part, "```"+language+"\n")
	block, _, ends := strings.Cut(rest, "```\n")
	if !found || !begins || !ends {
		t.Fatalf("%s has no block of %s under %s", page, language, heading)
	}
	return block
}
