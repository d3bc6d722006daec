package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"signet/provider/web"
)

// Limits of the HTTP server. A slow or idle peer costs a connection for a bounded
// time, and all peers together a bounded number of connections.
const (
	readHeaderTimeout = 5 * time.Second
	ReadTimeout       = 10 * time.Second // of a form of 64 KiB at most
	writeTimeout      = 60 * time.Second
	IdleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	MaxConnections    = 10000
	maxStreams        = 100 // of one connection of HTTP/2
	drainFor          = 10 * time.Second
)

// Serve answers on listener until ctx ends, then lets the requests that are under
// way finish for drainFor. The handler is the node, or has it inside.
func (n *Node) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	lasting := context.WithoutCancel(ctx) // what is done at the end is done although ctx has ended
	server := n.server(handler)
	stop := n.startJobs(lasting)
	defer n.leave(lasting)
	defer stop()

	ended := make(chan error, 1)
	go func() {
		limited := netutil.LimitListener(listener, MaxConnections)
		if n.certificate != nil {
			ended <- server.ServeTLS(limited, "", "")
			return
		}
		ended <- server.Serve(limited)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	n.log.Info("draining", "at_most_ms", drainFor.Milliseconds())
	draining, cancel := context.WithTimeout(lasting, drainFor)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		n.log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

func (n *Node) server(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           web.CloseAmbiguous(handler),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug), // mostly peers that hung up

		DisableGeneralOptionsHandler: true, // OPTIONS * is refused as any path that is none
	}
	if n.certificate != nil {
		server.TLSConfig = n.certificate.config()
	}
	return server
}

// leave is the end of a node: it tells the other nodes that this one serves nobody,
// writes down what the last ticks have not, and lets the provider finish its work.
func (n *Node) leave(ctx context.Context) {
	n.leaveConnectors(ctx)
	n.noteLast(ctx)
	n.Provider().Drain()
}

// noteLast writes down at the end what the last ticks have not.
func (n *Node) noteLast(ctx context.Context) {
	if err := n.Provider().NoteReadersOnce(ctx, n.clock.Now()); err != nil {
		n.log.Warn("the last readers of the JWKS were not noted", "error", err)
	}
	if err := n.Provider().NoteRefusalsOnce(ctx); err != nil {
		n.log.Warn("the last refusals were not recorded", "error", err)
	}
}

// leaveConnectors tells the other nodes at the end that this one serves nobody.
func (n *Node) leaveConnectors(ctx context.Context) {
	if err := n.Provider().ReleaseConnectors(ctx, n.clock.Now()); err != nil {
		n.log.Warn("the other nodes were not told that this one stops", "error", err)
	}
}
