package node_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// serviceManager receives the messages that a server sends to its service manager.
type serviceManager struct {
	mu       sync.Mutex
	messages []string
}

// listenForMessages listens at the address and returns the variable that names it.
func listenForMessages(t *testing.T, address string) (*serviceManager, string) {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	m := &serviceManager{}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.messages = append(m.messages, string(buffer[:n]))
			m.mu.Unlock()
		}
	}()
	return m, "NOTIFY_SOCKET=" + address
}

// count returns how many messages have a line that begins with the text.
func (m *serviceManager) count(begins string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range m.messages {
		if slices.ContainsFunc(strings.Split(message, "\n"), func(line string) bool { return strings.HasPrefix(line, begins) }) {
			n++
		}
	}
	return n
}

// order returns the first word of each message, without repetitions in a row.
func (m *serviceManager) order() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, message := range m.messages {
		word, _, _ := strings.Cut(message, "=")
		words = append(words, word)
	}
	return strings.Join(slices.Compact(words), " ")
}

func (m *serviceManager) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.messages, "\n--\n")
}

// wait waits for one more message than before.
func (m *serviceManager) wait(t *testing.T, begins string, more int) {
	t.Helper()
	signettest.Eventually(t, 30*time.Second, fmt.Sprintf("message %d with %s; so far:\n%s", more, begins, m), func() bool { return m.count(begins) >= more })
}

// TestSupervisor_IsToldHowTheServerIsDoing follows a server on each database from its start,
// through a good and a bad reload, to its end.
func TestSupervisor_IsToldHowTheServerIsDoing(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{
		"SQLite":     func() string { return "" },
		"PostgreSQL": func() string { return storagetest.Postgres(t).Config().Database },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := filepath.Join(t.TempDir(), "notify")
			if name == "SQLite" {
				address = fmt.Sprintf("@signet-test-%d-%d", os.Getpid(), time.Now().UnixNano()) // abstract
			}
			manager, variable := listenForMessages(t, address)
			c := signettest.NewCluster(t, database())
			file := filepath.Join(t.TempDir(), "signet.yaml")
			writeFile(t, file, "log: {level: info}\n")
			c.Env = append(c.Env, variable, "WATCHDOG_USEC=400000", "SIGNET_CONFIG="+file)
			p := c.Start(t, true)
			manager.wait(t, "READY=1", 1)
			if got := manager.order(); !regexp.MustCompile(`^EXTEND_TIMEOUT_USEC READY\b`).MatchString(got) {
				t.Errorf("the order of a start is %s", got)
			}
			if manager.count("STATUS=Serving "+c.Issuer) != 1 {
				t.Errorf("the status does not name the issuer:\n%s", manager)
			}
			manager.wait(t, "WATCHDOG=1", 3)

			for round, settings := range []string{"log: {level: warn}\n", "log: {level: loud}\n"} {
				writeFile(t, file, settings)
				before := monotonic(t)
				if err := p.Command.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				manager.wait(t, "RELOADING=1", round+1)
				manager.wait(t, "READY=1", round+2)
				if at := manager.lastReload(t); at < before || at > monotonic(t) {
					t.Errorf("the reload began at %d µs, and the signal was sent at %d", at, before)
				}
			}
			if manager.count("STATUS=Serving "+c.Issuer+" with the previous settings") == 0 {
				t.Errorf("the bad settings are not in the status:\n%s", manager)
			}
			if err := p.Command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := p.Command.Wait(); err != nil {
				t.Error(err)
			}
			manager.wait(t, "STOPPING=1", 1)
			if got := manager.order(); !strings.Contains(got, "STOPPING") || strings.Contains(got[strings.Index(got, "STOPPING"):], "READY") {
				t.Errorf("the order of all messages is %s", got)
			}
		})
	}
}

// lastReload returns the time of the last reload in microseconds.
func (m *serviceManager) lastReload(t *testing.T) int64 {
	t.Helper()
	found := regexp.MustCompile(`MONOTONIC_USEC=(\d+)`).FindAllStringSubmatch(m.String(), -1)
	if found == nil {
		t.Fatalf("no reload has a time:\n%s", m)
	}
	at, err := strconv.ParseInt(found[len(found)-1][1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSupervisor_WatchdogOutlivesTheDatabase holds the database: the messages go on, because a
// restart would not help.
func TestSupervisor_WatchdogOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	manager, variable := listenForMessages(t, filepath.Join(t.TempDir(), "notify"))
	c := signettest.NewCluster(t, "")
	c.Env = append(c.Env, variable, "WATCHDOG_USEC=200000")
	c.Start(t, true)
	release := holdDatabase(t, c.Instance)
	defer release()
	manager.wait(t, "WATCHDOG=1", manager.count("WATCHDOG=1")+10)
}

// TestSupervisor_WatchdogOfAnotherProcessGetsNoMessages also checks that a service manager
// that cannot be reached, and wrong variables, stop nothing.
func TestSupervisor_WatchdogOfAnotherProcessGetsNoMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ env, logged string }{
		"watchdog of another process": {"WATCHDOG_USEC=100000 WATCHDOG_PID=1", ""},
		"time that is no number":      {"WATCHDOG_USEC=soon", "cannot read the watchdog's time"},
		"socket that does not exist":  {"NOTIFY_SOCKET=/nowhere/notify", "cannot send a message to the service manager"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			manager, variable := listenForMessages(t, filepath.Join(t.TempDir(), "notify"))
			i := signettest.NewCluster(t, "")
			i.Env = append(append(i.Env, variable), strings.Fields(c.env)...)
			p := i.Start(t, true)
			if !strings.Contains(c.env, "NOTIFY_SOCKET") {
				manager.wait(t, "READY=1", 1)
			}
			signettest.Eventually(t, 10*time.Second, "it says "+c.logged, func() bool { return strings.Contains(p.Talk.String(), c.logged) })
			if status, _ := signettest.Get(t, i.Issuer+"/healthz"); status != http.StatusOK || manager.count("WATCHDOG=1") > 0 {
				t.Errorf("/healthz answers %d; messages:\n%s", status, manager)
			}
		})
	}
}

// TestServe_LogNobodyReads closes the reading end of the log. The server goes on: losing its
// log is no reason to stop.
func TestServe_LogNobodyReads(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := c.StartWith(t, writer)
	if err := errors.Join(reader.Close(), writer.Close()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if status, _ := signettest.Get(t, p.Address+"/login"); status != http.StatusOK { // each request writes a line
			t.Errorf("/login answers %d", status)
		}
	}
}

// TestServe_SecondSignalEndsItAtOnce sends SIGTERM twice while a request runs.
func TestServe_SecondSignalEndsItAtOnce(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	peer := dial(t, c.Instance)
	if _, err := fmt.Fprintf(peer, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	signettest.Get(t, c.Issuer+"/healthz")
	for round := range 2 {
		if err := p.Command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			signettest.Eventually(t, 10*time.Second, "it drains", func() bool { return strings.Contains(p.Talk.String(), `"msg":"draining"`) })
		}
	}
	began := time.Now()
	var ended interface{ Signaled() bool }
	if state, err := p.Command.Process.Wait(); err == nil {
		ended = state.Sys().(syscall.WaitStatus)
	}
	if ended == nil || !ended.Signaled() || time.Since(began) > 5*time.Second {
		t.Errorf("it ended after %s, by a signal: %v", time.Since(began), ended)
	}
}
