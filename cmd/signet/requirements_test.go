package main

import (
	"bytes"
	"os"
	"regexp"
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
