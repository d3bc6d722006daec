package main

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStatic_NeedsNoLibrary(t *testing.T) {
	r := built(t, "static")
	for _, target := range staticTargets {
		folder := "signet-" + r.version + "-" + target.String()
		root := t.TempDir()
		output(t, root, "tar", "xzf", filepath.Join(r.out, folder+".tar.gz"))
		for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "NOTICES"} {
			if len(read(t, filepath.Join(root, folder, name))) == 0 {
				t.Errorf("%s: %s is empty", target, name)
			}
		}
		program := filepath.Join(root, folder, "signet")
		if target.os == "darwin" {
			file, err := macho.Open(program)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[target.arch]; file.Cpu != want {
				t.Errorf("%s: got a program for %s", target, file.Cpu)
			}
			continue
		}
		file, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[target.arch]; file.Machine != want {
			t.Errorf("%s: got a program for %s", target, file.Machine)
		}
		libraries, err := file.ImportedLibraries()
		if err != nil || len(libraries) > 0 {
			t.Errorf("%s: needs %q, %v", target, libraries, err)
		}
		for _, segment := range file.Progs {
			if segment.Type == elf.PT_INTERP {
				t.Errorf("%s: has an interpreter", target)
			}
		}
	}
}

func TestPrograms_KnowTheirOrigin(t *testing.T) {
	r := built(t)
	for _, target := range []target{{os: "linux", arch: "amd64"}, fastTarget} {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		got := versionOf(t, program)
		sqlite, err := r.sqliteVersion(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		driver := map[bool]string{true: "cgo", false: "go"}[target.fast]
		if got.Version != r.version || got.Commit != r.commit || got.Date != r.date.Format(time.RFC3339) || got.Release != r.exact || got.Modified != r.dirty ||
			got.SQLite.Driver != driver || got.SQLite.Module != sqliteModule(target) || got.SQLite.Version != sqlite || got.PKCS11 != target.fast {
			t.Errorf("%s: got %+v", target, got)
		}
	}
}

// origin is the answer of `signet version --json`.
type origin struct {
	Version, Commit, Date string
	Release, Modified     bool
	SQLite                struct{ Driver, Module, Version string }
	PKCS11                bool
}

func versionOf(t *testing.T, program string) origin {
	t.Helper()
	var o origin
	if err := json.Unmarshal([]byte(output(t, "", program, "version", "--json")), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestStatic_ArmAnswersDiscovery(t *testing.T) {
	r := built(t)
	program, err := r.program(t.Context(), target{os: "linux", arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		if qemu, err = exec.LookPath("qemu-aarch64"); err != nil {
			t.Fatal("needs qemu-user-static: make prepare-dist")
		}
	}
	serve(t, running{command: []string{qemu, program}, env: []string{"SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}})
}

// running is a server that a test starts.
type running struct {
	command []string // up to the program
	args    []string // serve, if there are none
	env     []string
}

// serve starts a server and waits until it answers discovery and is ready. It returns the
// address on which it listens.
func serve(t *testing.T, s running) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	if s.args == nil {
		s.args = []string{"serve"}
	}
	c := command(t, append(slices.Clone(s.env), "SIGNET_LISTEN="+address, "SIGNET_ISSUER=https://id.example.com"), append(slices.Clone(s.command), s.args...))
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v:\n%s", err, log.String())
			}
		case <-time.After(time.Minute):
			_ = c.Process.Kill()
			<-ended
			t.Errorf("SIGTERM did not end the server:\n%s", log.String())
		}
	})
	client := &http.Client{Timeout: 10 * time.Second}
	ask := func(path string) ([]byte, error) {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
		if err != nil {
			return nil, err
		}
		request.Host = "id.example.com"
		request.Header.Set("X-Forwarded-Proto", "https")
		answer, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s %s", path, answer.Status, text)
		}
		return text, err
	}
	ready := false
	for deadline := time.Now().Add(5 * time.Minute); !ready; {
		_, err := ask("/readyz")
		if ready = err == nil; ready {
			break
		}
		select {
		case err := <-ended:
			ended <- nil // for the cleanup
			t.Fatalf("the server ended with %v:\n%s", err, log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not become ready: %v", err)
		}
	}
	text, err := ask("/.well-known/openid-configuration")
	var discovery struct{ Issuer string }
	if err := errors.Join(err, json.Unmarshal(text, &discovery)); err != nil || discovery.Issuer != "https://id.example.com" {
		t.Errorf("discovery: got %q, %v", text, err)
	}
	return address
}

func command(t *testing.T, env, args []string) *exec.Cmd {
	c := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		return c
	}
	// The PATH of an image is for the program in it, and not for the commands around it.
	c.Env = append(c.Env, "PATH="+os.Getenv("PATH"))
	return c
}
