package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// target is a machine that the program is built for.
type target struct {
	os, arch string
	fast     bool // with cgo: SQLite in C, and keys in HSMs (PKCS #11)
}

func (t target) String() string {
	if t.fast {
		return t.os + "-" + t.arch + "-fast"
	}
	return t.os + "-" + t.arch
}

// program returns the path of the program for a target. It builds each only once.
func (r *release) program(ctx context.Context, t target) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if built, ok := r.programs[t]; ok {
		return built, nil
	}
	to := filepath.Join(r.work, t.String(), "signet")
	if err := r.compile(ctx, r.source, t, to, r.linkerFlags()); err != nil {
		return "", err
	}
	r.programs[t] = to
	return to, nil
}

// linkerFlags sets the origin that `signet version` prints.
func (r *release) linkerFlags() string {
	const pkg = "signet/cmd/signet/program."
	flags := fmt.Sprintf("-X %sreleaseVersion=%s -X %sreleaseCommit=%s -X %sreleaseDate=%s", pkg, r.version, pkg, r.commit, pkg, r.date.Format(time.RFC3339))
	return flags
}

// crossCompilers are Debian's C compilers for the processors of other machines.
var crossCompilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// compile builds the program from the files in source.
func (r *release) compile(ctx context.Context, source string, t target, to, linkerFlags string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o", to}
	// Without -s -w a program contains its debugging information, which is half of its size.
	linkerFlags = "-s -w -buildid= " + linkerFlags
	cgo := "0"
	if t.fast {
		// The C linker would write its own build ID.
		cgo, linkerFlags = "1", linkerFlags+" -extldflags=-Wl,--build-id=none"
		args = append(args, "-tags", "pkcs11")
	}
	c := exec.CommandContext(ctx, "go", append(args, "-ldflags", linkerFlags, "./cmd/signet")...)
	c.Dir, c.Stderr = source, r.talk
	// Settings of the machine that change a program are replaced by fixed values.
	c.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED="+cgo, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0",
		"CGO_CFLAGS=-O2 -g", "CGO_CPPFLAGS=", "CGO_LDFLAGS=", "LC_ALL=C", "TZ=UTC", "SOURCE_DATE_EPOCH="+r.epoch())
	if t.fast && t.arch != runtime.GOARCH {
		c.Env = append(c.Env, "CC="+crossCompilers[t.arch])
	}
	if err := c.Run(); err != nil {
		return fmt.Errorf("go build for %s: %w", t, err)
	}
	return os.Chmod(to, 0o755)
}
