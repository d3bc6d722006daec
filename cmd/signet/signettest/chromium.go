package signettest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// RunInBrowser runs a program of testdata/browser. It sends the job as JSON and reads the
// report as JSON.
func RunInBrowser(t *testing.T, program string, job map[string]any, report any) {
	t.Helper()
	if _, err := os.Stat("../testdata/browser/node_modules"); err != nil {
		t.Fatal("the npm packages of testdata/browser are missing: make test installs them")
	}
	job["chromium"] = chromium(t)
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", program)
	node.Dir = "../testdata/browser"
	node.Stdin = bytes.NewReader(in)
	var talk bytes.Buffer
	node.Stderr = &talk
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) } // the program then closes the browser
	node.WaitDelay = 10 * time.Second
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, talk.String())
	}
	if err := json.Unmarshal(out, report); err != nil {
		t.Fatalf("%s reported %q: %v", program, out, err)
	}
}

// JavaScript returns whether the browser runs scripts, for each run of a test: it does, and in
// `make soak` a second run has no scripts. TestAccount_InTheBrowser has both runs each time.
func JavaScript() []bool {
	if InSoak() {
		return []bool{true, false}
	}
	return []bool{true}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: make test installs it on Debian")
	return ""
}

// NotedAnswer is the browser's message about an answer with a status of 400 or more. Some
// tests expect such answers.
var NotedAnswer = regexp.MustCompile(`^console: Failed to load resource: the server responded with a status of 4\d\d`)

// RefuseComplaints fails the test for each complaint of the browser: a violation of the
// content security policy, a failed script, a request to another host.
func RefuseComplaints(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		if !NotedAnswer.MatchString(c) {
			t.Error(c)
		}
	}
}
