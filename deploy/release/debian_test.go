package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// debianRoot returns a new folder with a small Debian that has systemd. It is built once.
func debianRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("installing a package into a Debian of its own needs root")
	}
	archive, err := debianArchive()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	must(t, exec.Command("tar", "-C", root, "-xf", archive))
	// These units would act on the kernel of this machine.
	for _, unit := range []string{
		"systemd-sysctl.service", "systemd-modules-load.service", "systemd-remount-fs.service", "systemd-update-utmp.service", "systemd-networkd.service",
		"systemd-timesyncd.service", "dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
	} {
		if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var debianArchive = sync.OnceValues(func() (string, error) {
	archive := filepath.Join(os.TempDir(), fmt.Sprintf("signet-debian-%d.tar", os.Getpid()))
	out, err := exec.Command("mmdebstrap", "--quiet", "--variant=essential", "--include=systemd,passwd,libssl3",
		"--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io", "bookworm", archive, "http://deb.debian.org/debian").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	return archive, nil
})

// asRelease is a variable that makes this program build a release instead of running tests. So the
// second build of a test need not compile it again.
const asRelease = "SIGNET_TEST_AS_RELEASE"

func TestMain(m *testing.M) {
	if os.Getenv(asRelease) != "" {
		main()
		return
	}
	code := m.Run()
	_ = os.Remove(filepath.Join(os.TempDir(), fmt.Sprintf("signet-debian-%d.tar", os.Getpid())))
	if whole.r != nil {
		_ = whole.r.close()
	}
	os.Exit(code)
}

// machine is a Debian that systemd has booted, in namespaces of its own.
type machine struct {
	root string
	pid  string // of systemd, outside of its namespace
}

// boot runs the systemd of a root until the test ends.
func boot(t *testing.T, root string) *machine {
	t.Helper()
	group, err := os.MkdirTemp(controlGroups(t), "signet-test-")
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	var talk bytes.Buffer
	c := exec.Command("bash", script, root, group)
	c.Stdout, c.Stderr = &talk, &talk
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // of unshare, which ends systemd and everything below it
		_ = c.Wait()
		removeGroup(t, group)
	})
	m := &machine{root: root}
	eventually(t, time.Minute, "systemd starts: "+talk.String(), func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.Process.Pid))
		if err != nil || len(bytes.Fields(children)) == 0 {
			return false
		}
		m.pid = string(bytes.Fields(children)[0])
		name, err := os.ReadFile("/proc/" + m.pid + "/comm")
		return err == nil && strings.TrimSpace(string(name)) == "systemd"
	})
	eventually(t, 2*time.Minute, "the machine runs", func() bool {
		state, _ := m.try("systemctl", "is-system-running")
		return strings.TrimSpace(state) == "running" || strings.TrimSpace(state) == "degraded"
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.journal())
		}
	})
	return m
}

// controlGroups returns the folder of the control groups of this machine.
func controlGroups(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	t.Fatal("this machine has no control groups of version 2, which systemd needs")
	return ""
}

// removeGroup removes the control groups of a machine that has ended, from the leaves.
func removeGroup(t *testing.T, group string) {
	t.Helper()
	eventually(t, 30*time.Second, "the control groups are empty", func() bool {
		var folders []string
		_ = filepath.WalkDir(group, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append([]string{path}, folders...)
			}
			return nil
		})
		for _, folder := range folders {
			_ = os.Remove(folder)
		}
		_, err := os.Stat(group)
		return os.IsNotExist(err)
	})
}

// try runs a command in the machine, as root.
func (m *machine) try(args ...string) (stdout string, err error) {
	return output2(m.command(args...))
}

func (m *machine) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", m.pid, "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}, args...)...)
}

// run runs a command in the machine that must succeed.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.try(args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, m.journal())
	}
	return out
}

// curl requests an address of the machine with the curl of this machine.
func (m *machine) curl(args ...string) (string, error) {
	return output2(exec.Command("nsenter", append([]string{"-t", m.pid, "-n", "curl", "-sS", "--max-time", "10"}, args...)...))
}

// property returns a property of the service.
func (m *machine) property(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(m.run(t, "systemctl", "show", "signet.service", "--value", "-p", name))
}

// journal returns what the service has said.
func (m *machine) journal() string {
	out, _ := m.try("journalctl", "--no-pager", "-o", "cat", "-u", "signet.service", "-n", "60")
	return out
}

// write writes a file of the machine.
func (m *machine) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// dropIn changes options of the service, as systemctl edit does.
func (m *machine) dropIn(t *testing.T, name, options string) {
	t.Helper()
	m.write(t, "/etc/systemd/system/signet.service.d/"+name+".conf", options)
	m.run(t, "systemctl", "daemon-reload")
}

// mainPID waits until the service runs in another process than before, and returns its id.
func (m *machine) mainPID(t *testing.T, before string) string {
	t.Helper()
	var pid string
	eventually(t, 2*time.Minute, "the service runs in a new process", func() bool {
		pid = m.property(t, "MainPID")
		return pid != before && pid != "0" && m.property(t, "ActiveState") == "active"
	})
	return pid
}

// signal sends a signal to the main process of the service.
func (m *machine) signal(t *testing.T, signal string) {
	m.run(t, "systemctl", "kill", "--kill-whom=main", "-s", signal, "signet.service")
}

func output2(c *exec.Cmd) (string, error) {
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	err := c.Run()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, talk.String())
	}
	return out.String(), err
}

func must(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	out, err := output2(c)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
	return out
}

// eventually polls until is returns true.
func eventually(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", within, what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
