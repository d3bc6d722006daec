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

// Main runs the tests of a package. For as long, the test binary is also the program
// signet, which tests start as a process of its own, and what more names.
func Main(m *testing.M, more map[string]func()) {
	// The race detector lets a process sleep for a second when it ends. A test that runs
	// fifty commands has no use for that: a race is reported when it is seen.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	programs := map[string]func(){"signet": program.Main}
	maps.Copy(programs, more)
	testscript.Main(m, programs)
}

// AtOnce lets so many tests of a package run at once that say they may, for tests that
// mostly wait: for a process, or for time to pass. It is called before Main.
func AtOnce(tests int) {
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil {
		panic(err)
	}
}
