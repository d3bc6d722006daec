package socket_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/socket"
)

func listen(t *testing.T, path string) (net.Listener, error) {
	t.Helper()
	return socket.Listen(t.Context(), socket.UnixAddress(path), 0o660)
}

func mustListen(t *testing.T, path string) net.Listener {
	t.Helper()
	listener, err := listen(t, path)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// endedSocket makes a socket whose process has ended without removing it.
func endedSocket(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
}

// TestListen_UnixSocketIsReplacedOnlyIfItsProcessHasEnded walks the files that may be at the
// path. Only a socket without a process goes.
func TestListen_UnixSocketIsReplacedOnlyIfItsProcessHasEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  func(t *testing.T, path string)
		want string // in the error; "" if the place is taken
	}{
		"nothing":         {func(*testing.T, string) {}, ""},
		"ended process":   {endedSocket, ""},
		"running process": {func(*testing.T, string) {}, "another program is listening there"},
		"file":            {func(t *testing.T, path string) { write(t, path) }, "is a file and not a socket"},
		"folder":          {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is a folder and not a socket"},
		"link to a socket": {func(t *testing.T, path string) {
			endedSocket(t, path+".target")
			must(t, os.Symlink(path+".target", path))
		}, "is a symbolic link and not a socket"},
		"link to nothing": {func(t *testing.T, path string) { must(t, os.Symlink(path+".target", path)) }, "is a symbolic link and not a socket"},
		"pipe":            {func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, "is a file and not a socket"},
		"datagram socket": {func(t *testing.T, path string) {
			other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			must(t, err)
			t.Cleanup(func() { other.Close() })
		}, "may be in use"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "signet.sock")
			c.put(t, path)
			if name == "running process" {
				running := mustListen(t, path)
				defer running.Close()
			}
			before, _ := os.Lstat(path)
			listener, err := listen(t, path)
			if c.want == "" {
				must(t, err)
				listener.Close()
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("after the end the file is still there: %v", err)
				}
				return
			}
			if err == nil {
				t.Fatal("it listens")
			}
			problem := exit.Classify(err)
			if text := problem.Error() + ": " + problem.Next; !strings.Contains(text, c.want) {
				t.Errorf("got %q, want %q", text, c.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte("x"), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestListen_UnixSocketHasTheMode checks modes that are wider than the umask of the process.
func TestListen_UnixSocketHasTheMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666} {
		path := filepath.Join(t.TempDir(), "signet.sock")
		listener, err := socket.Listen(t.Context(), socket.UnixAddress(path), mode)
		must(t, err)
		state, err := os.Stat(path)
		must(t, err)
		if state.Mode().Perm() != mode {
			t.Errorf("got the mode %o, want %o", state.Mode().Perm(), mode)
		}
		listener.Close()
	}
}

// TestListen_CloseLeavesTheSocketOfAnotherProcess replaces the file of a listener by a new one.
func TestListen_CloseLeavesTheSocketOfAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.sock")
	first := mustListen(t, path)
	must(t, os.Remove(path))
	second := mustListen(t, path)
	first.Close()
	peer, err := socket.Dial(t.Context(), socket.UnixAddress(path))
	must(t, err)
	peer.Close()
	second.Close()
}

// TestListen_OneOfManyStartsGetsTheSocket lets many starts find the socket of an ended process
// at the same time.
func TestListen_OneOfManyStartsGetsTheSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.sock")
	endedSocket(t, path)
	var mu sync.Mutex
	var won []net.Listener
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if listener, err := listen(t, path); err == nil {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, listener)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d starts listen", len(won))
	}
	peer, err := socket.Dial(t.Context(), socket.UnixAddress(path))
	must(t, err)
	peer.Close()
	won[0].Close()
}

// TestListen_FolderThatCannotBeUsed checks the errors, and that config check says the same
// before a start.
func TestListen_FolderThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	write(t, filepath.Join(at, "file"))
	for path, want := range map[string]string{
		filepath.Join(at, "missing", "signet.sock"): "create it for the user of Signet",
		filepath.Join(at, "file", "signet.sock"):    "not a",
	} {
		_, err := listen(t, path)
		if err == nil {
			t.Fatalf("it listens on %s", path)
		}
		problem := exit.Classify(err)
		if text := problem.Error() + ": " + problem.Next; !strings.Contains(text, want) {
			t.Errorf("%s: got %q, want %q", path, text, want)
		}
		if err := socket.CheckPlace(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the check of %s says %v, want %q", path, err, want)
		}
	}
}

func TestCheckPath_RefusesPathsThatNoSocketCanHave(t *testing.T) {
	t.Parallel()
	longest := "/" + strings.Repeat("a", 106)
	for path, want := range map[string]string{
		"":                        "names no path",
		"@signet":                 "abstract socket",
		"/run/signet/":            "names the folder",
		"/run/a\x00b":             "zero byte",
		longest:                   "",
		longest + "a":             "has at most 107",
		"/run/signet/signet.sock": "",
	} {
		err := socket.CheckPath(path)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", path, err, want)
		}
	}
}

// TestListen_PeersOfUnixSocketsHaveOneName connects from a socket whose path looks like an
// address. The server must not read it as one.
func TestListen_PeersOfUnixSocketsHaveOneName(t *testing.T) {
	t.Chdir(t.TempDir())
	listener := mustListen(t, "signet.sock")
	defer listener.Close()
	for _, local := range []string{"", "192.0.2.1:80"} {
		var from *net.UnixAddr
		if local != "" {
			from = &net.UnixAddr{Name: local, Net: "unix"}
		}
		peer, err := net.DialUnix("unix", from, &net.UnixAddr{Name: "signet.sock", Net: "unix"})
		must(t, err)
		accepted, err := listener.Accept()
		must(t, err)
		if got := accepted.RemoteAddr().String(); got != "unix" {
			t.Errorf("the peer %q has the name %q", local, got)
		}
		accepted.Close()
		peer.Close()
	}
}

// TestListen_EndsWithItsContext ends the context of a start that waits for the lock of the
// folder.
func TestListen_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder, err := os.Open(at)
	must(t, err)
	defer folder.Close()
	must(t, syscall.Flock(int(folder.Fd()), syscall.LOCK_EX))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := socket.Listen(ctx, socket.UnixAddress(filepath.Join(at, "signet.sock")), 0o600); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
