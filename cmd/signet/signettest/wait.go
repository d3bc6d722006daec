package signettest

import (
	"math/rand/v2"
	"net"
	"os"
	"strconv"
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
// port in its name, so it must be known before the program starts. It is the test's
// until the test ends.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// ReservePort gives a port of loopback on which nobody listens, and which no other test
// of this machine is given before release is called. The port of the same number for
// UDP, where nobody listens, is what holds it. Outgoing connections take theirs further
// up.
func ReservePort() (port int, release func(), err error) {
	for range 1000 {
		port = 11_000 + rand.IntN(20_000)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var held net.PacketConn
		if held, err = net.ListenPacket("udp", address); err != nil {
			continue
		}
		var free net.Listener
		if free, err = net.Listen("tcp", address); err != nil {
			held.Close()
			continue
		}
		free.Close()
		return port, func() { held.Close() }, nil
	}
	return 0, nil, err
}

// Soaking asks for more rounds of the same kind.
func Soaking(rounds, soak int) int {
	if os.Getenv("SIGNET_SOAK") != "" {
		return soak
	}
	return rounds
}
