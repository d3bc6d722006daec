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

// NodeProcess is a program of testdata/browser that answers each line with a line.
type NodeProcess struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// StartNode starts a program of testdata/browser.
func StartNode(t *testing.T, program string, args ...string) *NodeProcess {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	node := exec.CommandContext(ctx, "node", append([]string{program}, args...)...)
	node.Dir = "../testdata/browser"
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = node.Wait()
	})
	return &NodeProcess{in: in, out: bufio.NewReader(out)}
}

// Check sends a line and returns the line that answers it.
func (n *NodeProcess) Check(line string) string {
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
