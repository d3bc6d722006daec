package openssl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// fileName is the name of libcrypto of all releases 3.x of OpenSSL.
const fileName = "libcrypto.so.3"

// usualPaths lists the files that distributions install: Debian, Fedora, Alpine and others.
func usualPaths() []string {
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	var paths []string
	for _, dir := range []string{"/usr/lib/" + triplet, "/lib/" + triplet, "/usr/lib64", "/lib64", "/usr/lib", "/lib"} {
		paths = append(paths, filepath.Join(dir, fileName))
	}
	return paths
}

// trustedFile returns the path of the file without symbolic links. It returns an error if
// another user than root and the user of this process could replace the file. os.ErrNotExist.
func trustedFile(name string) (string, error) {
	if !filepath.IsAbs(name) {
		return "", fmt.Errorf("%s is not an absolute path", name)
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	state, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if !state.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", real)
	}
	for at := real; ; at = filepath.Dir(at) {
		if err := checkOwner(at); err != nil {
			return "", err
		}
		if at == filepath.Dir(at) {
			return real, nil
		}
	}
}

// checkOwner returns an error if another user than root and the user of this process may
// change a file or the entries of a folder. In a folder like /tmp others cannot replace the
// entries of root.
func checkOwner(name string) error {
	state, err := os.Lstat(name)
	if err != nil {
		return err
	}
	system, ok := state.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the file system does not tell the owner of " + name)
	}
	if system.Uid != 0 && int(system.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, not to root: its owner could replace the library", name, system.Uid)
	}
	sticky := state.IsDir() && state.Mode()&os.ModeSticky != 0
	if state.Mode().Perm()&0o022 != 0 && !sticky {
		return fmt.Errorf("%s has mode %#o, so that other users could replace the library: remove their write permission", name, state.Mode().Perm())
	}
	return nil
}
