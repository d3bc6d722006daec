package signettest

import (
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// Eventually asks again and again, since another goroutine or process is at work,
// and fails when the answer is still no after the longest time.
func Eventually(t *testing.T, longest time.Duration, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(longest)
	for !yes() {
		select {
		case <-deadline:
			t.Fatalf("after %s still not so: %s", longest, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// FreePort gives a port of loopback on which nobody listens. An issuer holds its
// port in its name, so it must be known before the program starts. No port is given
// twice: the first to ask may not listen yet.
func FreePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			return port
		}
	}
}

var givenPorts sync.Map

// Soaking asks for more rounds of the same kind.
func Soaking(rounds, soak int) int {
	if os.Getenv("SIGNET_SOAK") != "" {
		return soak
	}
	return rounds
}
