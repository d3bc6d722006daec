package signettest

import (
	"maps"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/cmd/signet/program"
)

// Main runs the tests of a package. For as long, the test binary is also the program
// signet, which tests start as a process of its own, and what more names.
func Main(m *testing.M, more map[string]func()) {
	programs := map[string]func(){"signet": program.Main}
	maps.Copy(programs, more)
	testscript.Main(m, programs)
}
