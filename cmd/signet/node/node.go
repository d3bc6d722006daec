package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"signet/cmd/signet/config"
	"signet/provider"
	"signet/provider/web"
	"signet/storage"
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

// Deps is what a node is made of.
type Deps struct {
	Config      config.Config
	Now         func() time.Time // the wall clock of this machine
	Log         *slog.Logger
	Certificate *Certificate // to answer https with; nil for plain http
	Follow      *Follow      // settings to follow; nil where they stay as they are
}

// Node is one running server: its database, its provider, its clock.
type Node struct {
	db          *storage.DB
	current     atomic.Pointer[provider.Provider]
	clock       *Clock
	log         *slog.Logger
	certificate *Certificate
	settings    *follower // nil where settings are not followed
}

// New opens what the settings name and makes what a first start lacks. The caller
// closes the node.
func New(ctx context.Context, d Deps) (*Node, error) {
	db, err := OpenDatabase(ctx, d.Config, d.Log)
	if err != nil {
		return nil, err
	}
	if storage.PureGo && d.Config.Database.Reveal() == "" {
		d.Log.Warn("built without a C compiler: SQLite is slower than it can be")
	}
	n := &Node{db: db, clock: NewClock(d.Now), log: d.Log, certificate: d.Certificate}
	if d.Follow != nil {
		n.settings = &follower{Follow: *d.Follow, node: n, now: d.Now}
	}
	if err := n.openProvider(ctx, d.Config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return n, nil
}

func (n *Node) openProvider(ctx context.Context, c config.Config) error {
	if err := n.clock.Measure(ctx, n.db); err != nil {
		return fmt.Errorf("measure the database's clock: %w", err)
	}
	keys, err := VaultConfig(ctx, c, n.db)
	if err != nil {
		return err
	}
	told := c.Config
	told.MasterKey, told.MasterKeys, told.Module = keys.Master, keys.Masters, keys.Module
	told.Now, told.Log = n.clock.Now, n.log
	made, err := provider.New(ctx, told, n.db)
	n.current.Store(made)
	return err
}

// Provider is the one that takes the next request.
func (n *Node) Provider() *provider.Provider { return n.current.Load() }

// DB is the node's database.
func (n *Node) DB() *storage.DB { return n.db }

// Now is the time that all nodes on the database agree on.
func (n *Node) Now() time.Time { return n.clock.Now() }

// ServeHTTP hands each request to the provider of the moment.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.Provider().Handler().ServeHTTP(w, r)
}

// Close ends the node after Serve has returned.
func (n *Node) Close() error { return n.db.Close() }

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
	n.log.Info("draining", "for", drainFor.String())
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
		Handler:           web.Framed(handler),
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
	if err := n.Provider().LeaveConnectors(ctx, n.clock.Now()); err != nil {
		n.log.Warn("the other nodes were not told that this one stops", "error", err)
	}
}
