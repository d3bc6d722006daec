package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"signet/cmd/signet/socket"
	"signet/provider/web"
)

// Limits of the HTTP server. A slow or idle peer holds a connection only for a limited time.
// All peers together, and the idle ones of one network, hold only a limited number of
// connections.
const (
	readHeaderTimeout = 5 * time.Second
	ReadTimeout       = 10 * time.Second // for a form of at most 64 KiB
	writeTimeout      = 60 * time.Second
	IdleTimeout       = 3 * time.Minute // longer than proxies keep an unused connection: nginx 60 s, Traefik 90 s, Caddy 2 min
	maxHeaderBytes    = 32 << 10
	MaxConnections    = 10000
	MaxWaiting        = 1000 // connections of one network without a running request
	maxStreams        = 100  // of one HTTP/2 connection
	drainFor          = 10 * time.Second
)

// Serve answers on the listeners until ctx ends. Then it gives the running requests drainFor to
// finish. handler is the node, or a handler that calls it.
func (n *Node) Serve(ctx context.Context, handler http.Handler, listeners ...net.Listener) error {
	lasting := context.WithoutCancel(ctx) // the shutdown works after ctx has ended
	server := n.server(handler)
	stop := n.startJobs(lasting)
	attending, leave := context.WithCancel(lasting)
	defer leave()
	defer n.leave(lasting)
	defer stop()

	ended := make(chan error, len(listeners))
	limited := make([]net.Listener, len(listeners))
	for i, listener := range listeners {
		limited[i] = n.crowd.Limit(listener)
		go func() {
			if n.certificate != nil {
				ended <- server.ServeTLS(limited[i], "", "")
				return
			}
			ended <- server.Serve(limited[i])
		}()
	}
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
	for _, listener := range limited {
		_ = listener.Close()
		<-ended // of any listener; now each accepted connection is known to the server
	}
	server.SetKeepAlivesEnabled(false)
	n.awaitFirstRequests(draining)
	if err := server.Shutdown(draining); err != nil {
		n.log.Warn("running requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

// awaitFirstRequests waits until each new connection has sent its first request, for at most
// the time that a header may take.
func (n *Node) awaitFirstRequests(ctx context.Context) {
	waiting, cancel := context.WithTimeout(ctx, readHeaderTimeout)
	defer cancel()
	if n.crowd.Fresh() == 0 {
		return
	}
	for range Every(waiting, 5*time.Millisecond) {
		if n.crowd.Fresh() == 0 {
			return
		}
	}
}

func (n *Node) server(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           n.crowd.Begin(web.CloseAmbiguous(handler)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       IdleTimeout,
		ConnState:         n.crowd.Follow,
		ConnContext:       n.crowd.Context,
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

// newCrowd makes the limit of the node's connections.
func (n *Node) newCrowd() *socket.Crowd {
	return socket.NewCrowd(MaxConnections, MaxWaiting, func(peer netip.Addr) bool {
		proxies := n.Provider().TrustedProxies()
		// Without the setting, a peer on this machine may be a proxy that nobody has named.
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(peer) }) || len(proxies) == 0 && peer.IsLoopback()
	})
}

// noteClosedOnce logs how many connections were closed because of the limits.
func (n *Node) noteClosedOnce(context.Context, int) error {
	if closed := n.crowd.TakeClosed(); closed > 0 {
		n.log.Warn("closed idle connections of networks with too many of them", "closed", closed)
	}
	return nil
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
