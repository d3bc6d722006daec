package keystest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"signet/provider/keys/openssl"
)

//go:embed testdata/shim.c
var shimSource []byte

// compiledShim compiles the shim once for each process.
var compiledShim = sync.OnceValues(func() ([]byte, error) {
	engine := openssl.Open(openssl.Config{})
	if f := engine.Failure(); f != nil {
		return nil, f.Err
	}
	_, system, _ := strings.Cut(strings.TrimSuffix(engine.String(), ")"), " (")
	dir, err := os.MkdirTemp("", "shim")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	source, library := filepath.Join(dir, "shim.c"), filepath.Join(dir, "shim.so")
	if err := os.WriteFile(source, shimSource, 0o600); err != nil {
		return nil, err
	}
	compile := exec.Command("cc", "-shared", "-fPIC", `-DSYSTEM="`+system+`"`, "-o", library, source, "-Wl,--no-as-needed", system, "-ldl")
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile shim.c: %w\n%s", err, out)
	}
	return os.ReadFile(library)
})

// Libcrypto returns the path of a library that passes all calls to the libcrypto of this
// machine and has a fault: a name in testdata/shim.c, or "" for none.
func Libcrypto(t testing.TB, fault string) string {
	t.Helper()
	content, err := compiledShim()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "libshim.so")
	for file, content := range map[string][]byte{name: content, name + ".fault": []byte(fault)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return name
}
