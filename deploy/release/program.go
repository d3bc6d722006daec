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
	const variable = "-X signet/cmd/signet/program.release"
	flags := variable + "Commit=" + r.commit + " " + variable + "Date=" + r.date.Format(time.RFC3339)
	switch {
	case r.exact:
		flags += " " + variable + "State=release"
	case r.dirty:
		flags += " " + variable + "State=changed"
	}
	return flags
}

// crossCompilers are Debian's C compilers for the processors of other machines.
var crossCompilers = map[string]string{"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}

// fastTarget is the machine of the Debian-based image.
var fastTarget = target{os: "linux", arch: "amd64", fast: true}

// tags returns the flags of the go command for the parts that only some programs have.
func (t target) tags() []string {
	if t.fast {
		return []string{"-tags", "pkcs11"}
	}
	return nil
}

// compile builds the program from the files in source.
func (r *release) compile(ctx context.Context, source string, t target, to, linkerFlags string) error {
	// Without -s -w a program contains its debugging information, which is half of its size.
	linkerFlags = "-s -w -buildid= " + linkerFlags
	if t.fast {
		linkerFlags += " -extldflags=-Wl,--build-id=none" // the C linker would write its own
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-o", to, "-ldflags", linkerFlags}, t.tags()...)
	c := r.goCommand(ctx, source, t, append(args, "./cmd/signet")...)
	c.Stderr = r.talk
	if err := c.Run(); err != nil {
		return fmt.Errorf("go build for %s: %w", t, err)
	}
	return os.Chmod(to, 0o755)
}

// goCommand returns a go command for a target. Settings of the machine that change a program
// are replaced by fixed values.
func (r *release) goCommand(ctx context.Context, folder string, t target, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = folder
	cgo := "0"
	if t.fast {
		cgo = "1"
	}
	c.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED="+cgo, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0",
		"CGO_CFLAGS=-O2 -g", "CGO_CPPFLAGS=", "CGO_LDFLAGS=", "LC_ALL=C", "TZ=UTC", "SOURCE_DATE_EPOCH="+r.epoch())
	if t.fast && t.arch != runtime.GOARCH {
		c.Env = append(c.Env, "CC="+crossCompilers[t.arch])
	}
	return c
}
