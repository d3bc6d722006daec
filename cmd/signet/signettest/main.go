package signettest

import (
	"flag"
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/cmd/signet/program"
)

// Main runs the tests of a package. For as long, the test binary is also the program
// signet, which tests start as a process of its own, and what more names. Tests mostly
// wait, for a process or for time to pass, so that more of them run at once than the
// machine has cores.
func Main(m *testing.M, more map[string]func()) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	// The race detector lets a process sleep for a second when it ends. A test that runs
	// fifty commands has no use for that: a race is reported when it is seen.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	programs := map[string]func(){"signet": program.Main}
	maps.Copy(programs, more)
	testscript.Main(m, programs)
}
