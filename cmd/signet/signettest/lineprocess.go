package signettest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// LineProcess is a program that answers each line with a line.
type LineProcess struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// StartNode starts a program of testdata/browser.
func StartNode(t *testing.T, program string, args ...string) *LineProcess {
	t.Helper()
	return StartLines(t, "../testdata/browser", "node", append([]string{program}, args...)...)
}

// StartLines starts a program in a folder. What it writes to its standard error is logged if the
// test fails.
func StartLines(t *testing.T, folder, program string, args ...string) *LineProcess {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	process := exec.CommandContext(ctx, program, args...)
	process.Dir = folder
	var errors SyncBuffer
	process.Stderr = &errors
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = process.Wait()
		if t.Failed() && errors.String() != "" {
			t.Logf("%s said:\n%s", program, errors.String())
		}
	})
	return &LineProcess{in: in, out: bufio.NewReader(out)}
}

// Check sends a line and returns the line that answers it.
func (n *LineProcess) Check(line string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := fmt.Fprintln(n.in, line); err != nil {
		return err.Error()
	}
	said, err := n.out.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(said)
}
