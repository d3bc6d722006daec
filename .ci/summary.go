// Command summary reads the events of `go test -json`. It prints one line for each package,
// the whole output of each failed test, and at the end the number of tests. It fails if a
// test or a build failed, if no test ran, and if a test was skipped, since a skipped check
// checks nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go doc test2json`, or of a failed build.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build
	Test       string // "" for the package itself
	Output     string
	Elapsed    float64 // seconds
}

type summary struct {
	out                             io.Writer
	packages                        map[string]bool
	passed, failed, skipped, broken int
	output                          map[[2]string]*strings.Builder // package, test
}

func main() {
	s := summary{out: os.Stdout, packages: map[string]bool{}, output: map[[2]string]*strings.Builder{}}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			s.add(e)
		} else if len(line) > 0 {
			fmt.Fprintf(s.out, "%s", line)
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintf(s.out, "\n%d tests passed in %d packages; %d failed, %d skipped, %d packages broken\n",
		s.passed, len(s.packages), s.failed, s.skipped, s.broken)
	if s.failed+s.skipped+s.broken > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

func (s *summary) add(e event) {
	key := [2]string{e.Package, e.Test}
	if s.output[key] == nil {
		s.output[key] = &strings.Builder{}
	}
	switch e.Action {
	case "output":
		s.output[key].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
		delete(s.output, key)
	}
}

// endTest counts a test; a test and each of its subtests count as one.
func (s *summary) endTest(e event) {
	switch e.Action {
	case "pass":
		s.passed++
		return
	case "fail":
		s.failed++
	case "skip":
		s.skipped++
	}
	fmt.Fprintf(s.out, "\n%s %s %s\n%s", strings.ToUpper(e.Action), e.Package, e.Test, s.output[[2]string{e.Package, e.Test}])
}

// endPackage prints the line of a package. Output outside the tests (a race at the end, a
// failed build) is in the package's own output. If the package hung or crashed, the output
// of the tests that never ended follows.
func (s *summary) endPackage(e event) {
	switch e.Action {
	case "pass":
		s.packages[e.Package] = true
		fmt.Fprintf(s.out, "ok    %-32s %6.1f s\n", e.Package, e.Elapsed)
	case "fail":
		s.broken++
		fmt.Fprintf(s.out, "FAIL  %-32s %6.1f s\n%s", e.Package, e.Elapsed, s.output[[2]string{e.Package, ""}])
		for key, output := range s.output {
			if key[0] == e.Package && key[1] != "" {
				fmt.Fprintf(s.out, "\nNO END %s %s\n%s", key[0], key[1], output)
			}
		}
	}
}
