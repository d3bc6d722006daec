package signettest

import (
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

// Eventually repeats the check until it succeeds, since another goroutine or process needs
// time. It fails the test if the check still fails after the longest time.
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

// FreePort returns a free port of loopback. An issuer contains its port, so the port must be
// known before the program starts. The test owns the port until it ends.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// ReservePort returns a free port of loopback that no other test on this machine receives
// before release is called. It holds the UDP port with the same number as a lock. The range
// is below the ports of outgoing connections.
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

// InSoak reports whether the tests run as `make soak`, with every combination.
func InSoak() bool { return os.Getenv("SIGNET_SOAK") != "" }

// Soaking returns the number of rounds: soak in `make soak`, rounds otherwise.
func Soaking(rounds, soak int) int {
	if InSoak() {
		return soak
	}
	return rounds
}
