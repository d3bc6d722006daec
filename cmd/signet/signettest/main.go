package signettest

import (
	"flag"
	"maps"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/cmd/signet/program"
)

// Main runs the tests of a package. The test binary also serves as the program signet, which
// tests start in a process of its own, and as the programs in more.
func Main(m *testing.M, more map[string]func()) {
	// The race detector delays the end of each process by a second. Tests that run fifty
	// commands do not need the delay, since a race is reported when it is detected.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	programs := map[string]func(){"signet": program.Main}
	maps.Copy(programs, more)
	testscript.Main(m, programs)
}

// AtOnce sets how many parallel tests of a package run at the same time, for tests that
// mostly wait for a process or for time to pass. Call it before Main.
func AtOnce(tests int) {
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil {
		panic(err)
	}
}
