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

// Limits of the HTTP server. A slow or idle peer holds a connection only for a limited time,
// and all peers together hold only a limited number of connections.
const (
	readHeaderTimeout = 5 * time.Second
	ReadTimeout       = 10 * time.Second // for a form of at most 64 KiB
	writeTimeout      = 60 * time.Second
	IdleTimeout       = 3 * time.Minute // longer than proxies keep an unused connection: nginx 60 s, Traefik 90 s, Caddy 2 min
	maxHeaderBytes    = 32 << 10
	MaxConnections    = 10000
	maxStreams        = 100 // of one HTTP/2 connection
	drainFor          = 10 * time.Second
)

// Serve answers on listener until ctx ends. Then it gives the running requests drainFor to
// finish. handler is the node, or a handler that calls it.
func (n *Node) Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	lasting := context.WithoutCancel(ctx) // the shutdown works after ctx has ended
	server := n.server(handler)
	stop := n.startJobs(lasting)
	attending, leave := context.WithCancel(lasting)
	defer leave()
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
	if n.attendance.Supervisor != nil {
		go n.attend(attending, handler)
	}
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	n.attendance.Stopping(fmt.Sprintf("Finishing the running requests, for at most %s", drainFor))
	n.log.Info("draining", "at_most_ms", drainFor.Milliseconds())
	draining, cancel := context.WithTimeout(lasting, drainFor)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		n.log.Warn("running requests were cut off", "error", err)
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
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug), // mostly closed connections

		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like every unknown path
	}
	if n.certificate != nil {
		server.TLSConfig = n.certificate.config()
	}
	return server
}

// leave ends a node: it tells the other nodes that this one has stopped, stores the records of
// the last second, and lets the provider finish its work.
func (n *Node) leave(ctx context.Context) {
	n.leaveConnectors(ctx)
	n.recordLast(ctx)
	n.Provider().Drain()
}

// recordLast stores the records of the last second, which no tick has stored.
func (n *Node) recordLast(ctx context.Context) {
	if err := n.Provider().NoteReadersOnce(ctx, n.clock.Now()); err != nil {
		n.log.Warn("cannot record the last readers of the JWKS", "error", err)
	}
	if err := n.Provider().NoteRefusalsOnce(ctx); err != nil {
		n.log.Warn("cannot record the last refusals", "error", err)
	}
	if err := n.noteRSAOnce(ctx, 0); err != nil {
		n.log.Warn("cannot record that OpenSSL failed", "error", err)
	}
}

// leaveConnectors tells the other nodes that this one has stopped serving its connectors.
func (n *Node) leaveConnectors(ctx context.Context) {
	if err := n.Provider().ReleaseConnectors(ctx, n.clock.Now()); err != nil {
		n.log.Warn("cannot tell the other nodes that this one stops", "error", err)
	}
}
