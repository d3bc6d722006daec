package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/storage"
)

// TestNode_SweepsOnceAMinute: the node sweeps with its clock, a second after the start and then once a minute.
func TestNode_SweepsOnceAMinute(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	defer n.Close()
	if err := n.db.RecordEvent(t.Context(), storage.Event{Type: storage.UserSignedIn, Reason: "old"}, time.Now().AddDate(0, 0, -401)); err != nil {
		t.Fatal(err)
	}
	for _, tick := range []struct{ second, left int }{{0, 1}, {60, 1}, {61, 0}} {
		if err := n.sweepOnce(t.Context(), tick.second); err != nil {
			t.Fatal(err)
		}
		old, err := n.db.Events(t.Context(), storage.EventFilter{Type: storage.UserSignedIn}, 10)
		if err != nil || len(old) != tick.left {
			t.Errorf("second %d: %d old events are left, %v; want %d", tick.second, len(old), err, tick.left)
		}
	}
}

// TestServe_DrainsBeforeItEnds holds a request while the node shuts down: its answer still
// comes, and new connections are refused.
func TestServe_DrainsBeforeItEnds(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "whole")
	})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, handler, listener) }()
	answered := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		answered <- fmt.Sprint(string(body), err)
	}()
	<-arrived
	end()
	refusesNew(t, listener.Addr().String())
	select {
	case err := <-ended:
		t.Fatalf("it ended with a request under way: %v", err)
	default:
	}
	close(release)
	if got := <-answered; got != "whole<nil>" {
		t.Errorf("the request under way got %s", got)
	}
	if err := errors.Join(<-ended, n.Close()); err != nil {
		t.Error(err)
	}
}

// refusesNew connects until the connection is refused, for at most 10 seconds.
func refusesNew(t *testing.T, address string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		peer, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		peer.Close()
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("new connections are still let in")
		}
	}
}

// newNode returns a node with a new database. It does not serve yet.
func newNode(t *testing.T) *Node {
	t.Helper()
	settings := config.Default()
	settings.Issuer, settings.DataDir = "http://localhost:1", filepath.Join(t.TempDir(), "data")
	n, err := New(t.Context(), Deps{Config: settings, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
