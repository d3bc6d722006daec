package guides_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	code    = regexp.MustCompile("(?s)```.*?\n *```|``.*?``|`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(<?([^)> ]+)>?(?: "[^"]*")?\)|(?:href|src|srcset)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
	anchor  = regexp.MustCompile(`<a (?:name|id)="([^"]+)"`)
	markup  = regexp.MustCompile("\\[([^\\]]*)\\]\\([^)]*\\)|[`*]")
	dropped = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
)

// TestLinks_LeadSomewhere follows each relative link of every Markdown file: the file must
// exist and be part of the repository, and a page must have the heading. Addresses of other
// hosts are not called.
func TestLinks_LeadSomewhere(t *testing.T) {
	listed, err := exec.Command("git", "-c", "safe.directory=*", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	known, followed := map[string]bool{"": true, ".": true}, 0
	for file := range strings.Lines(string(listed)) {
		for name := strings.TrimSpace(file); name != "."; name = path.Dir(name) {
			known[name] = true
		}
	}
	for file := range known {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if os.IsNotExist(err) {
			continue // it is deleted and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			target := found[1] + found[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			followed++
			name, wanted, _ := strings.Cut(target, "#")
			if name == "" {
				name = path.Base(file)
			}
			name = path.Join(path.Dir(file), name)
			if !known[strings.TrimSuffix(name, "/")] {
				t.Errorf("%s links to %s, which is not in the repository", file, target)
				continue
			}
			if wanted != "" && strings.HasSuffix(name, ".md") && !anchors(read(t, name))[wanted] {
				t.Errorf("%s links to %s: %s has no such heading", file, target, name)
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links were found", followed)
	}
}

// anchors gives the anchors of a page's headings, formed as GitHub forms them.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(code.ReplaceAllStringFunc(page, func(block string) string {
		if strings.HasPrefix(block, "```") {
			return ""
		}
		return block
	}), -1) {
		plain := dropped.ReplaceAllString(strings.ToLower(markup.ReplaceAllString(h[1], "$1")), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	for _, a := range anchor.FindAllStringSubmatch(page, -1) {
		found[a[1]] = true
	}
	return found
}

// TestLinks_AnchorsAreThoseOfGitHub checks some headings by hand.
func TestLinks_AnchorsAreThoseOfGitHub(t *testing.T) {
	found := anchors("# Access tokens and `aud`\n## Keys in a module (PKCS #11)\n```console\n# a comment\n```\n### [Link](x.md)s, *too*\n")
	for _, want := range []string{"access-tokens-and-aud", "keys-in-a-module-pkcs-11", "links-too"} {
		if !found[want] {
			t.Errorf("no anchor %s in %v", want, found)
		}
	}
	if len(found) != 3 {
		t.Errorf("got %v", found)
	}
}
