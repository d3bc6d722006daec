package templates_test

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// machineCode is how the codes of answers, events and protocols are written.
var machineCode = regexp.MustCompile(`\b[a-z0-9]+(_[a-z0-9]+)+\b`)

// The sentences of an error contain no code. The code is at the end of the page, with the
// reference.
func TestTrouble_CodesAreApartFromSentences(t *testing.T) {
	pages, _ := newPages(t)
	seen := 0
	for name, page := range samples() {
		d := parse(t, render(t, pages, page))
		box, last := d.byID("problem"), reference(d)
		if box != nil {
			if code := machineCode.FindString(textOf(box)); code != "" {
				t.Errorf("%s: the box says %q", name, code)
			}
			if codes := codesIn(box); len(codes) > 0 {
				t.Errorf("%s: the box shows %q", name, codes)
			}
		}
		if last == nil {
			continue
		}
		seen++
		for n := last.NextSibling; n != nil; n = n.NextSibling {
			if n.Type == html.ElementNode {
				t.Errorf("%s: <%s> follows the reference", name, n.Data)
			}
		}
		if !strings.Contains(textOf(last), "Code") && !strings.Contains(textOf(last), "Reference") {
			t.Errorf("%s: the reference says %q", name, textOf(last))
		}
	}
	if seen < 15 {
		t.Errorf("only %d pages show a code", seen)
	}
}

func reference(d document) *html.Node {
	for _, e := range d.all("dl") {
		if attr(e, "class") == "reference" {
			return e
		}
	}
	return nil
}

func codesIn(box *html.Node) (codes []string) {
	for n := range box.Descendants() {
		if n.Type == html.ElementNode && n.Data == "code" {
			codes = append(codes, textOf(n))
		}
	}
	return codes
}
