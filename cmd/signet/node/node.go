package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/socket"
	"signet/cmd/signet/supervisor"
	"signet/provider"
	"signet/provider/keys/openssl"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Deps holds the parts of a node.
type Deps struct {
	Config      config.Config
	Now         func() time.Time // the wall clock of this machine
	Log         *slog.Logger
	Certificate *Certificate           // for https; nil for plain http
	Module      vault.Module           // open PKCS #11 module; nil without one
	Follow      *Follow                // settings to reload; nil if they never change
	Supervisor  *supervisor.Supervisor // the service manager; nil without one
	RSA         *openssl.Engine        // makes the RSA signatures; nil if Go does
}

// Node is one running server: its database, its provider, and its clock.
type Node struct {
	db          *storage.DB
	current     atomic.Pointer[provider.Provider]
	clock       *Clock
	log         *slog.Logger
	certificate *Certificate
	settings    *follower // nil if the settings never change
	attendance  attendance
	rsa         *openssl.Engine // nil if Go makes the RSA signatures
	rsaNoted    bool            // the event of its failure is recorded
	expiries    expiries
	crowd       *socket.Crowd
}

// New opens the database and the keys of the settings, and creates them at the first start.
// The caller closes the node.
func New(ctx context.Context, d Deps) (*Node, error) {
	n := &Node{clock: NewClock(d.Now), log: d.Log, certificate: d.Certificate, rsa: d.RSA}
	n.crowd = n.newCrowd()
	n.attendance.Supervisor, n.attendance.issuer = d.Supervisor, d.Config.Issuer
	defer n.attendance.starting(ctx)()
	if d.Follow != nil {
		n.settings = &follower{Follow: *d.Follow, current: &n.current, certificate: d.Certificate, now: d.Now, log: d.Log, attendance: &n.attendance}
		n.settings.listen() // before a migration: a SIGHUP would end the process
	}
	n.expiries = expiries{certificate: d.Certificate, now: d.Now, log: d.Log}
	if d.Follow != nil {
		n.expiries.used = usedExpiries(d.Follow.Started, d.Follow.From.Env)
	}
	n.expiries.start()
	var err error
	if n.db, err = OpenDatabase(ctx, d.Config, d.Log); err != nil {
		n.settings.stop()
		return nil, err
	}
	if storage.PureGo && d.Config.Database.Reveal() == "" {
		d.Log.Warn("built without a C compiler: SQLite is slower than it can be")
	}
	d.RSA.LogTo(d.Log)
	if err := n.openProvider(ctx, d.Config, d.Module); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) openProvider(ctx context.Context, c config.Config, module vault.Module) error {
	if err := n.clock.Measure(ctx, n.db); err != nil {
		return fmt.Errorf("measure the database's clock: %w", err)
	}
	var keys vault.Config
	var err error
	if module != nil {
		keys, err = vaultConfig(ctx, c, n.db, module)
	} else {
		keys, err = VaultConfig(ctx, c, n.db)
	}
	if err != nil {
		return err
	}
	told := c.Config
	told.MasterKey, told.MasterKeys, told.Module = keys.Master, keys.Masters, keys.Module
	told.RSA = n.rsa
	told.Now, told.Log = n.clock.Now, n.log
	made, err := provider.New(ctx, told, n.db)
	n.current.Store(made)
	return passkeyProblem(c, err)
}

// Provider returns the provider that serves the next request.
func (n *Node) Provider() *provider.Provider { return n.current.Load() }

// DB returns the node's database.
func (n *Node) DB() *storage.DB { return n.db }

// Now returns the time that all nodes on the database agree on.
func (n *Node) Now() time.Time { return n.clock.Now() }

// ServeHTTP passes each request to the current provider.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.Provider().Handler().ServeHTTP(w, r)
}

// Close ends the node after Serve has returned.
func (n *Node) Close() error {
	n.settings.stop()
	return n.db.Close()
}
