package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
	"signet/federation"
	"signet/federation/foreign"
)

func (p *program) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: `Run the provider until SIGINT or SIGTERM; requests under way then have 10 seconds.

The settings come from the file (` + configFile + ` unless --config names another), then from
SIGNET_… variables, then from flags; what comes later wins.`,
		Args: exactly(),
	}
	file := configFlags(c, serveFlags...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.serve(c.Context(), p.sources(c, *file))
	}
	return c
}

// serveFlags are the settings that serve has flags for.
var serveFlags = []string{"issuer", "listen", "data_dir", "log.level"}

// configFlags gives c the flag --config and one for each of those settings.
func configFlags(c *cobra.Command, keys ...string) (file *string) {
	file = c.Flags().String("config", "", "file with the settings (default "+configFile+", if it exists)")
	for _, s := range settings {
		for _, key := range keys {
			if s.key == key {
				c.Flags().String(flagName(s), "", fmt.Sprintf("%s (default %q)", s.about, s.byDef))
			}
		}
	}
	return file
}

// config reads the settings for a command that has configFlags.
func (p *program) config(c *cobra.Command, file string) (Config, error) {
	return readConfig(p.sources(c, file))
}

func (p *program) sources(c *cobra.Command, file string) sources {
	given := map[string]string{}
	for _, s := range settings {
		if f := c.Flags().Lookup(flagName(s)); f != nil && f.Changed {
			given[s.key] = f.Value.String()
		}
	}
	return sources{file: file, env: p.env, flags: given}
}

func (p *program) serve(ctx context.Context, from sources) error {
	read := readSources(from)
	if err := read.err(); err != nil {
		return err
	}
	c := read.config
	if err := needIssuer(c); err != nil {
		return err
	}
	level := &slog.LevelVar{}
	level.Set(c.LogLevel)
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: level}))
	shown, err := p.certificate(read)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	n, err := p.openNode(ctx, c, log, nil)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := p.offerSetup(ctx, c, n); err != nil {
		return errors.Join(err, listener.Close(), n.close())
	}
	n.certificate = shown
	for _, warning := range p.warnings(c, shown.leaf()) {
		log.Warn(warning)
	}
	n.settings = &follower{from: from, node: n, now: p.now, level: level, certificate: shown, started: read}
	p.warnOfHTTP(c.Issuer)
	log.Info("listening", "address", listener.Addr().String(), "issuer", c.Issuer, "version", version())
	return errors.Join(n.serve(ctx, listener, n), n.close())
}

// certificate is the one to answer with, or nil for plain http.
func (p *program) certificate(read *reader) (*certificate, error) {
	files := read.config.TLS
	if !files.given() {
		return nil, nil
	}
	opened, err := openCertificate(files, p.now())
	if m, ok := errors.AsType[mistake](err); ok {
		m.place = read.given[m.key].place
		return nil, exit.New(exit.Config, configErrors{m}, "correct what is listed, then start again")
	}
	return opened, err
}

// warnings are what is worth a thought of settings that are right. leaf is nil for
// plain http.
func (p *program) warnings(c Config, leaf *x509.Certificate) []string {
	list := []string{} // never null
	if leaf != nil {
		if warning := misnamed(leaf, c.Issuer); warning != "" {
			list = append(list, warning)
		}
	}
	if host := unverifiedDatabase(c.Database, p.env["PGSSLMODE"]); host != "" {
		list = append(list, "whoever is between here and the database at "+host+" could read and change everything: add sslmode=verify-full to its URL, and sslrootcert for an authority of your own")
	}
	for _, connector := range c.Connectors {
		list = append(list, connector.Warnings()...)
	}
	return list
}

// unverifiedDatabase gives the host of a database on another machine whose
// certificate is not checked. otherwise is the mode that counts where the URL has
// none; without either the driver goes on unencrypted if the server likes.
func unverifiedDatabase(database federation.Secret, otherwise string) (host string) {
	u, err := url.Parse(database.Reveal())
	if err != nil || u.Hostname() == "" || foreign.IsLoopback(u.Hostname()) {
		return ""
	}
	if mode := cmp.Or(u.Query().Get("sslmode"), otherwise); mode == "verify-full" || mode == "verify-ca" {
		return ""
	}
	return u.Hostname()
}

func needIssuer(c Config) error {
	if c.Issuer != "" {
		return nil
	}
	return exit.New(
		exit.Config, errors.New("the setting issuer is missing: it is the address people reach this server at"),
		"set it, for example SIGNET_ISSUER=https://id.example.com; to try Signet out: signet dev",
	)
}

// warnOfHTTP is loud where tokens and passwords travel in the clear.
func (p *program) warnOfHTTP(issuer string) {
	if strings.HasPrefix(issuer, "http://") {
		fmt.Fprintf(p.stderr, `
  *** The issuer %s is plain http.
  *** Passwords and tokens travel unprotected: for trying out on this machine only.

`, issuer)
	}
}

// listen takes the address before anything else is opened: what most often goes
// wrong at a start should leave no trace.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	next := "choose another address with --listen HOST:PORT or SIGNET_LISTEN"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		next = "another program is listening there: end it, or choose another port with --listen HOST:PORT"
	case errors.Is(err, syscall.EACCES):
		next = "ports below 1024 need a privilege: choose another with --listen HOST:PORT, or grant CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		next = "this machine has no such address: choose one it has with --listen HOST:PORT"
	}
	cause := err
	var operation *net.OpError
	if errors.As(err, &operation) {
		cause = operation.Err
	}
	return nil, exit.New(exit.Failure, fmt.Errorf("cannot listen on %s: %w", address, cause), next)
}
