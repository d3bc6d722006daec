package traefik

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTraefik_PassesTheTestsOfTheProxies builds the program, and runs the tests with the files
// of deploy/proxy.
func TestTraefik_PassesTheTestsOfTheProxies(t *testing.T) {
	program := filepath.Join(t.TempDir(), "traefik")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/traefik/traefik/v3/cmd/traefik").CombinedOutput(); err != nil {
		t.Fatalf("build Traefik: %v\n%s", err, out)
	}
	tests := exec.CommandContext(t.Context(), "go", "test", "-count", "1", "-v", "-run", "^TestProxies_/^traefik$", "./cmd/signet/proxy")
	tests.Dir, tests.Env = "../..", append(os.Environ(), "SIGNET_TRAEFIK="+program)
	out, err := tests.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if passed := bytes.Count(out, []byte("/traefik (")); passed < 7 {
		t.Errorf("only %d tests ran:\n%s", passed, out)
	}
}
