package node

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/supervisor"
)

// TestSupervisor_WatchdogIsNotToldAboutAServerThatHangs serves with a handler that stops to
// answer: the messages must end, and come again with the answers.
func TestSupervisor_WatchdogIsNotToldAboutAServerThatHangs(t *testing.T) {
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "200000")
	var beats atomic.Int64
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := manager.Read(buffer)
			if err != nil {
				return
			}
			if string(buffer[:n]) == "WATCHDOG=1" {
				beats.Add(1)
			}
		}
	}()
	defer manager.Close()

	settings := config.Default()
	settings.Issuer, settings.DataDir = "http://localhost:1/auth", filepath.Join(t.TempDir(), "data")
	said := &lines{}
	log := slog.New(slog.NewTextHandler(said, nil))
	n, err := New(t.Context(), Deps{Config: settings, Now: time.Now, Log: log, Supervisor: supervisor.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	var hang sync.RWMutex
	var wrong atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hang.RLock()
		defer hang.RUnlock()
		if r.URL.Path != "/auth/healthz" {
			wrong.Add(1)
		}
		n.ServeHTTP(w, r)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, handler, listener) }()
	defer func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		n.Close()
	}()
	until(t, "it beats", func() bool { return beats.Load() >= 2 })
	hang.Lock()
	until(t, "it says that it hangs", func() bool { return said.has("does not answer its own health check") })
	at := beats.Load()
	for look := range Every(t.Context(), 100*time.Millisecond) { // five times the pause between two messages
		if beats.Load() != at {
			t.Errorf("%d messages came while it hung", beats.Load()-at)
		}
		if look == 5 {
			break
		}
	}
	hang.Unlock()
	until(t, "it beats again", func() bool { return beats.Load() >= at+2 })
	if wrong.Load() > 0 {
		t.Error("it asked itself for another path than the issuer's /healthz")
	}
}

// lines is a log that a test reads while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// until polls the condition for at most 20 seconds.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for range Every(t.Context(), 10*time.Millisecond) {
		if yes() {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		default:
		}
	}
}
