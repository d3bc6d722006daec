package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	citedNumber  = regexp.MustCompile(`(?:\b|Test|Fuzz|Benchmark)(AZ|RU|PK|CO|TK|RT|JW|KY|IR|DV|TX|PJ|DR|LO|FD|SS|PW|RC|MF|AD|MN|HT|ST|CF|P)-?(\d\d)(?:\b|_)`)
	listedNumber = regexp.MustCompile(`(?m)^\| ([A-Z]+-\d\d) \| [^|]+ \|$`)
)

// docs/requirements.md must explain each requirement number that a Go file cites.
func TestRequirements_EachCitedNumberIsListed(t *testing.T) {
	page, err := os.ReadFile("../../docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range listedNumber.FindAllStringSubmatch(string(page), -1) {
		if listed[row[1]] {
			t.Errorf("docs/requirements.md lists %s twice", row[1])
		}
		listed[row[1]] = true
	}
	cited := 0
	eachGoFile(t, "../..", func(name string, source []byte) {
		for line := range bytes.Lines(source) {
			if !hasNumber(line) {
				continue
			}
			for _, match := range citedNumber.FindAllSubmatch(line, -1) {
				number := string(match[1]) + "-" + string(match[2])
				cited++
				if !listed[number] {
					t.Errorf("%s cites %s: explain it in docs/requirements.md", name, number)
				}
			}
		}
	})
	if cited < 100 {
		t.Fatalf("found only %d numbers: this is not the root of the repository", cited)
	}
}

// Each published way to take over an account has a test that names it: through an upstream (FD),
// through a link or an invitation (RC), or past a second factor (MF). The number stands in a comment of
// the test.
func TestRequirements_EachTakeoverHasATest(t *testing.T) {
	page, err := os.ReadFile("../../docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	eachGoFile(t, "../..", func(name string, source []byte) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		for line := range bytes.Lines(source) {
			_, comment, _ := bytes.Cut(line, []byte("//"))
			for _, match := range citedNumber.FindAllSubmatch(comment, -1) {
				tested[string(match[1])+"-"+string(match[2])] = true
			}
		}
	})
	rows := regexp.MustCompile(`(?m)^\| ((?:FD|RC|MF)-\d\d) \| (.+) \|$`).FindAllStringSubmatch(string(page), -1)
	if len(rows) < 53 {
		t.Errorf("docs/requirements.md has %d rows of FD, RC and MF", len(rows))
	}
	for _, row := range rows {
		if tested[row[1]] == strings.HasPrefix(row[2], "Later: ") {
			t.Errorf("%s: %q, but a test names it: %v", row[1], row[2], tested[row[1]])
		}
	}
}

// hasNumber reports whether a line has two digits after a hyphen or a capital letter. Few lines
// have, and under the race detector the regular expression is slow.
func hasNumber(line []byte) bool {
	isDigit := func(c byte) bool { return '0' <= c && c <= '9' }
	for i := 2; i < len(line); i++ {
		if isDigit(line[i]) && isDigit(line[i-1]) && (line[i-2] == '-' || 'A' <= line[i-2] && line[i-2] <= 'Z') {
			return true
		}
	}
	return false
}
