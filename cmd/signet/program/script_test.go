package program_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/cmd/signet/signettest"
)

// TestScripts runs the scripts in testdata/script. Each is a terminal session with the program as a
// separate process.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", os.Getenv("GORACE")) // see signettest.Main
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"answers": answersScript,
			"exits":   exitsScript,
			"mode":    modeScript,
			"port":    portScript,
			"term":    termScript,
		},
	})
}

// exitsScript is the command `exits CODE PROGRAM ARGUMENT…`. It checks the exit code.
func exitsScript(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	got := 0
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// modeScript is the command `mode OCTAL FILE…`. It checks the modes of files.
func modeScript(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		state, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", state.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// portScript is the command `port NAME`. It sets the variable to a free loopback port.
func portScript(ts *testscript.TestScript, _ bool, args []string) {
	port, release, err := signettest.ReservePort()
	ts.Check(err)
	ts.Defer(release)
	ts.Setenv(args[0], strconv.Itoa(port))
}

// answersScript is the command `answers STATUS URL`. It waits up to 30 seconds for the server, and
// checks the status of its first answer.
func answersScript(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.After(30 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		response, err := http.Get(args[1])
		if err == nil {
			response.Body.Close()
			if got := strconv.Itoa(response.StatusCode); got != args[0] {
				ts.Fatalf("%s answers %s, want %s", args[1], got, args[0])
			}
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("%s does not answer: %v", args[1], err)
		}
	}
}

// termScript is the command `term`. It sends SIGTERM to all background commands.
func termScript(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		if strings.HasSuffix(c.Path, "signet") {
			ts.Check(c.Process.Signal(syscall.SIGTERM))
		}
	}
}
