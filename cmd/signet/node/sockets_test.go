package node_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/node"
	"signet/cmd/signet/signettest"
)

// launched is a `signet serve` in a process of its own that the test starts in its own way.
type launched struct {
	command *exec.Cmd
	talk    *signettest.SyncBuffer
}

// launch starts a server and waits until it listens. passed are the sockets of a service
// manager; the shell writes the number of its process, which becomes that of the server.
func launch(t *testing.T, env []string, passed ...*os.File) *launched {
	t.Helper()
	l := &launched{command: exec.Command("signet", "serve"), talk: &signettest.SyncBuffer{}}
	if len(passed) > 0 {
		l.command = exec.Command("sh", "-c", fmt.Sprintf("LISTEN_PID=$$ LISTEN_FDS=%d exec signet serve", len(passed)))
		l.command.ExtraFiles = passed
	}
	l.command.Env, l.command.Stderr = env, l.talk
	l.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := l.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if l.command.ProcessState == nil {
			_ = l.command.Process.Kill()
			_ = l.command.Wait()
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", l.talk.String())
		}
	})
	signettest.Eventually(t, 60*time.Second, "it listens", func() bool { return strings.Contains(l.talk.String(), `"msg":"listening"`) })
	return l
}

// end sends SIGTERM and waits for the end, which must be a good one.
func (l *launched) end(t *testing.T) {
	t.Helper()
	if err := errors.Join(l.command.Process.Signal(syscall.SIGTERM), l.command.Wait()); err != nil {
		t.Error(err)
	}
}

// health runs `signet health` and returns its output and its error.
func health(t *testing.T, env []string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "signet", "health", "--json")
	command.Env = env
	said, err := command.CombinedOutput()
	return string(said), err
}

// overUnix returns a client of a unix socket.
func overUnix(path string) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
}

// TestServe_UnixSocket follows a server at a unix socket, with TLS and without: a killed one
// leaves the file, and the next start replaces it; a second server is refused; the end removes
// it. The peer is a trusted proxy.
func TestServe_UnixSocket(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			c := signettest.NewCluster(t, "")
			folder := t.TempDir()
			path := filepath.Join(folder, "signet.sock")
			env := append(c.Env, "SIGNET_LISTEN=unix:"+path, "SIGNET_TRUSTED_PROXIES=10.0.0.1")
			if scheme == "https" {
				files := newCA(t).pair(t, x509.Certificate{}, "localhost")
				env = append(env, "SIGNET_ISSUER="+strings.Replace(c.Issuer, "http:", "https:", 1), "SIGNET_TLS_CERT="+files.Cert, "SIGNET_TLS_KEY="+files.Key)
			}
			if said, err := health(t, env); err == nil || !strings.Contains(said, `"unreachable"`) {
				t.Errorf("before the start: %s, %v", said, err)
			}
			killed := launch(t, env)
			_ = killed.command.Process.Kill()
			_ = killed.command.Wait()
			if state, err := os.Lstat(path); err != nil || state.Mode().Type() != fs.ModeSocket || state.Mode().Perm() != 0o660 {
				t.Fatalf("the killed server left %v, %v", state, err)
			}
			l := launch(t, env)
			if said, err := health(t, env); err != nil || !strings.Contains(said, scheme+"://unix:"+path+":/readyz") {
				t.Errorf("health: %s, %v", said, err)
			}
			second := exec.Command("signet", "serve")
			second.Env = env
			if said, err := second.CombinedOutput(); err == nil || !strings.Contains(string(said), "another program is listening there") {
				t.Errorf("a second server: %v\n%s", err, said)
			}
			for header, want := range map[string]string{"203.0.113.7": "203.0.113.7", "203.0.113.8, 10.0.0.1": "203.0.113.8", "": ""} {
				ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://localhost/login?from="+want, nil)
				if err != nil {
					t.Fatal(err)
				}
				if header != "" {
					ask.Header.Set("X-Forwarded-For", header)
				}
				answer, err := overUnix(path).Do(ask)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				signettest.Eventually(t, 10*time.Second, "the address "+want+" is logged", func() bool {
					return strings.Contains(l.talk.String(), fmt.Sprintf(`"path":"/login","status":%d,`, answer.StatusCode)) && strings.Contains(l.talk.String(), fmt.Sprintf(`"address":%q`, want))
				})
			}
			l.end(t)
			if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
				t.Errorf("the end left %v, %v", left, err)
			}
		})
	}
}

// TestServe_PassedSocketsStayOpenOverARestart passes a TCP socket and a unix socket to two
// servers after each other, while clients connect. No connection is refused.
func TestServe_PassedSocketsStayOpenOverARestart(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	path := filepath.Join(t.TempDir(), "signet.sock")
	tcp, err := net.Listen("tcp", strings.TrimPrefix(c.Issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	var files []*os.File
	for _, l := range []net.Listener{tcp, unix} {
		file, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
	}
	first := launch(t, c.Env, files...)
	if said, err := health(t, c.Env); err != nil {
		t.Errorf("health: %s, %v", said, err)
	}
	if strings.Contains(first.talk.String(), "signet health will not find") {
		t.Error("it warns about the setting listen, which is right")
	}

	var over atomic.Bool
	var answered atomic.Int64
	var all sync.WaitGroup
	for _, client := range []*http.Client{{Timeout: 60 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, overUnix(path)} {
		all.Go(func() {
			for !over.Load() {
				answer, err := client.Get(c.Issuer + "/healthz")
				if err != nil {
					t.Errorf("over the restart: %v", err)
					return
				}
				answer.Body.Close()
				answered.Add(1)
			}
		})
	}
	signettest.Eventually(t, 30*time.Second, "it is asked", func() bool { return answered.Load() > 10 })
	first.end(t)
	env := append(c.Env, "SIGNET_LISTEN=127.0.0.1:1")
	second := launch(t, env, files...)
	before := answered.Load()
	signettest.Eventually(t, 30*time.Second, "the second answers", func() bool { return answered.Load() > before+10 })
	over.Store(true)
	all.Wait()
	if !strings.Contains(second.talk.String(), "signet health will not find") {
		t.Error("it does not warn about the setting listen")
	}
	second.end(t)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the end removed the socket of the service manager: %v", err)
	}
}

// TestServe_PassedSocketThatCannotServe passes sockets that accept no connections.
func TestServe_PassedSocketThatCannotServe(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	file, err := datagrams.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	command := exec.Command("sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec signet serve")
	command.Env, command.ExtraFiles = c.Env, []*os.File{file}
	if said, err := command.CombinedOutput(); err == nil || !strings.Contains(string(said), "ListenStream=") {
		t.Errorf("got %v\n%s", err, said)
	}
}

// TestOverload_OneNetworkCannotTakeAllConnections holds more silent connections from one
// address than a network may have. The first ones are closed, a running request of the same
// address ends well, and another address is served.
// HT-06: Slow and idle connections end; their number is limited.
func TestOverload_OneNetworkCannotTakeAllConnections(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_TRUSTED_PROXIES=192.0.2.1") // loopback is no proxy
	talk, _ := signettest.StartTalking(t, http.DefaultClient, i.Issuer, i.Env, "serve")
	from := func(address string) net.Conn {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		peer, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(i.Issuer, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Close() })
		return peer
	}
	first := from("127.0.0.2")
	for range node.MaxWaiting - 1 {
		from("127.0.0.2")
	}
	busy := from("127.0.0.2") // last, because its body may take only 10 seconds
	if _, err := io.WriteString(busy, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(busy)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("the request does not run: %q, %v", line, err)
	}
	for range 20 {
		from("127.0.0.2")
	}
	if err := first.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, first); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the first connection is still open")
	}
	other := from("127.0.0.3")
	if _, err := io.WriteString(other, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(other).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Errorf("another address gets %q, %v", line, err)
	}
	if _, err := io.WriteString(busy, "a=b"); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadString('\n'); err != nil { // the empty line after 100
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 4") {
		t.Errorf("the running request gets %q, %v", line, err)
	}
	signettest.Eventually(t, time.Minute, "the log tells how many", func() bool { return strings.Contains(talk.String(), "closed idle connections of networks") })
}
