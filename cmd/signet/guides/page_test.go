package guides_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the folder of the repository.
const root = "../../.."

// pages gives README.md, the pages in docs, and the pages of the React package and of the
// example, by their paths in the repository.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(found) < 8 {
		t.Fatalf("docs has %d pages, %v", len(found), err)
	}
	list := []string{"README.md"}
	for _, file := range found {
		list = append(list, "docs/"+filepath.Base(file))
	}
	return append(list, "sdk/react/README.md", "examples/react-app/README.md")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// part is a piece of a page that a test acts on: a code block or a comment of setup.
type part struct {
	line     int    // of the page, from 1
	fenced   bool   // it is a code block
	language string // the first word behind the fence; "" for a comment
	file     string // the second word
	text     string
	run      string // of a comment <!-- run: … -->
	with     string // of a comment <!-- with: … -->
}

var (
	fence   = regexp.MustCompile("^( *)```+ *([^ `]*) *([^ `]*)$")
	comment = regexp.MustCompile(`(?s)^<!-- *(set up|run|with): *(.*?) *-->`)
)

// partsOf gives the code blocks of a page and the comments that concern them, in order.
func partsOf(t *testing.T, name, page string) (parts []part) {
	t.Helper()
	var next part
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if found := comment.FindStringSubmatch(strings.TrimSpace(strings.Join(lines[i:], "\n"))); found != nil && strings.HasPrefix(strings.TrimSpace(lines[i]), "<!--") {
			switch found[1] {
			case "run":
				next.run = found[2]
			case "with":
				next.with = found[2]
			default:
				parts = append(parts, part{line: i + 1, text: found[2]})
			}
			i += strings.Count(found[0], "\n")
			continue
		}
		opening := fence.FindStringSubmatch(lines[i])
		if opening == nil {
			continue
		}
		block := part{line: i + 1, fenced: true, language: opening[2], file: opening[3], run: next.run, with: next.with}
		next = part{}
		var text []string
		for i++; strings.TrimSpace(lines[i]) != "```"; i++ {
			if i+1 == len(lines) {
				t.Fatalf("%s:%d: the block does not end", name, block.line)
			}
			text = append(text, strings.TrimPrefix(lines[i], opening[1]))
		}
		block.text = strings.Join(text, "\n") + "\n"
		parts = append(parts, block)
	}
	return parts
}
