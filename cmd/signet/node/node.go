package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"signet/provider"
	"signet/provider/web"
	"signet/storage"
)

// Limits of the HTTP server. A slow or idle peer costs a connection for a bounded
// time, and all peers together a bounded number of connections.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second // of a form of 64 KiB at most
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	maxConnections    = 10000
	maxStreams        = 100 // of one connection of HTTP/2
	drainFor          = 10 * time.Second
)

// heapGrowth in percent. What lives between requests is a few megabytes, so the
// runtime's own 100 would collect hundreds of times a second under load.
const heapGrowth = 300

// node is one running server: its database, its provider, its clock.
type node struct {
	db          *storage.DB
	current     atomic.Pointer[provider.Provider]
	clock       *clock
	log         *slog.Logger
	certificate *certificate // nil for plain http
	settings    *follower    // nil where settings are not followed
}

// provider is the one that takes the next request.
func (n *node) provider() *provider.Provider { return n.current.Load() }

// ServeHTTP hands each request to the provider of the moment.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.provider().Handler().ServeHTTP(w, r)
}

// openNode opens what the settings name and makes what a first start lacks.
// adjust, if not nil, has the last word on the provider's configuration.
func (p *program) openNode(ctx context.Context, c Config, log *slog.Logger, adjust func(*provider.Config)) (*node, error) {
	db, err := openDatabase(ctx, c, log)
	if err != nil {
		return nil, err
	}
	if storage.PureGo && c.Database.Reveal() == "" {
		log.Warn("built without a C compiler: SQLite is slower than it can be")
	}
	n := &node{db: db, clock: &clock{wall: p.now}, log: log}
	if err := n.openProvider(ctx, c, adjust); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return n, nil
}

func (n *node) openProvider(ctx context.Context, c Config, adjust func(*provider.Config)) error {
	if err := n.clock.measure(ctx, n.db); err != nil {
		return fmt.Errorf("measure the database's clock: %w", err)
	}
	key, err := masterKey(ctx, c, n.db)
	if err != nil {
		return err
	}
	module, err := c.module()
	if err != nil {
		return err
	}
	config := provider.Config{
		Issuer:         c.Issuer,
		MasterKey:      key,
		MasterKeys:     func() ([][32]byte, error) { return masterKeys(c) },
		CookieName:     c.CookieName,
		CookieDomain:   c.CookieDomain,
		FirstParty:     c.FirstParty,
		TrustedProxies: c.TrustedProxies,
		Algorithms:     c.Algorithms,
		Keys:           c.Keys,
		Module:         module,
		InModule:       c.inModule(),
		Lifetimes:      c.Lifetimes,
		Passwords:      c.Passwords,
		RateLimits:     c.RateLimits,
		EditUsername:   c.EditUsername,
		Connectors:     c.Connectors,
		Outbound:       c.outbound(),
		Now:            n.clock.now,
		Log:            n.log,
	}
	if adjust != nil {
		adjust(&config)
	}
	made, err := provider.New(ctx, config, n.db)
	n.current.Store(made)
	return err
}

// close ends the node after serve has returned.
func (n *node) close() error { return n.db.Close() }

// serve answers on listener until ctx ends, then lets the requests that are under
// way finish for drainFor.
func (n *node) serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	server := &http.Server{
		Handler:           web.Framed(handler),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug), // mostly peers that hung up

		DisableGeneralOptionsHandler: true, // OPTIONS * is refused as any path that is none
	}
	if n.certificate != nil {
		server.TLSConfig = n.certificate.config()
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	var follower sync.WaitGroup
	follower.Go(func() {
		n.eachSecond(following, "changes cannot be followed", "changes are followed again", n.followOnce)
	})
	// Beside the other: making an RSA key takes a good part of a second.
	follower.Go(func() {
		n.eachSecond(following, "keys cannot be looked after", "keys are looked after again", n.rotateOnce)
	})
	// And beside both: a client may take five seconds to answer.
	follower.Go(func() {
		n.eachSecond(following, "sign-outs cannot be told", "sign-outs are told again", n.deliverOnce)
	})
	// And this one has a large table to go through, now and then.
	follower.Go(func() {
		n.eachSecond(following, "old rows cannot be swept", "old rows are swept again", n.sweepOnce)
	})
	if n.settings != nil {
		defer n.settings.follow()()
		follower.Go(func() {
			n.eachSecond(following, "settings cannot be followed", "settings are followed again", n.settings.followOnce)
		})
	}
	defer n.provider().Drain()
	defer n.noteLast(context.WithoutCancel(ctx))
	defer n.leaveConnectors(context.WithoutCancel(ctx))
	defer follower.Wait()
	defer stop()

	ended := make(chan error, 1)
	go func() {
		limited := netutil.LimitListener(listener, maxConnections)
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
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		n.log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

// eachSecond is the one ticker: it runs once every second until ctx ends. It says
// when that begins to fail and when it ends, not sixty times a minute.
func (n *node) eachSecond(ctx context.Context, fails, works string, once func(ctx context.Context, second int) error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	failing := false
	for second := 1; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := once(ctx, second)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			n.log.Warn(fails, "error", err)
		} else if err == nil && failing {
			n.log.Info(works)
		}
		failing = err != nil
	}
}

// followOnce lets the provider reload what other nodes and the command line have
// changed, and compares the clocks once a minute.
func (n *node) followOnce(ctx context.Context, second int) error {
	err := errors.Join(n.provider().FollowOnce(ctx, n.clock.now()), n.provider().NoteRefusalsOnce(ctx))
	if second%60 == 0 {
		err = errors.Join(err, n.clock.measure(ctx, n.db), n.provider().NoteReadersOnce(ctx, n.clock.now()))
	}
	return err
}

// noteLast writes down at the end what the last ticks have not.
func (n *node) noteLast(ctx context.Context) {
	if err := n.provider().NoteReadersOnce(ctx, n.clock.now()); err != nil {
		n.log.Warn("the last readers of the JWKS were not noted", "error", err)
	}
	if err := n.provider().NoteRefusalsOnce(ctx); err != nil {
		n.log.Warn("the last refusals were not recorded", "error", err)
	}
}

// leaveConnectors tells the other nodes at the end that this one serves nobody.
func (n *node) leaveConnectors(ctx context.Context) {
	if err := n.provider().LeaveConnectors(ctx, n.clock.now()); err != nil {
		n.log.Warn("the other nodes were not told that this one stops", "error", err)
	}
}

// rotateOnce lets the keys go through their life.
func (n *node) rotateOnce(ctx context.Context, _ int) error {
	return n.provider().RotateOnce(ctx, n.clock.now())
}

// deliverOnce tells clients of the sessions that have ended.
func (n *node) deliverOnce(ctx context.Context, _ int) error {
	return n.provider().DeliverOnce(ctx, n.clock.now())
}

// sweepOnce deletes, once a minute, what is kept no longer.
func (n *node) sweepOnce(ctx context.Context, second int) error {
	if second%60 != 0 {
		return nil
	}
	return n.provider().SweepOnce(ctx, n.clock.now())
}
