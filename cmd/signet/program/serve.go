package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/cmd/signet/socket"
	"signet/cmd/signet/supervisor"

	"github.com/spf13/cobra"
)

func (p *program) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: `Run the provider until SIGINT or SIGTERM. Open requests then have 10 seconds to finish.

The settings come from the file (` + config.DefaultFile + `, or the file of --config), from SIGNET_…
variables and from flags. Flags override variables, and variables override the file.`,
		Args: cli.ExactArgs(),
	}
	file := cli.SettingFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.serve(c.Context(), p.Sources(c, *file))
	}
	return c
}

func (p *program) serve(ctx context.Context, from config.Sources) error {
	read := config.Read(from)
	listeners, err := socket.Passed()
	if err != nil {
		return err
	}
	passed := len(listeners) > 0
	ready := p.prepare(ctx, read, passed)
	if err := read.Err(); err != nil {
		return err
	}
	settings := read.Config
	level := &slog.LevelVar{}
	level.Set(settings.LogLevel)
	log := node.NewLog(p.Stderr, level)
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more is no reason to stop
	if !passed {
		listener, err := socket.Listen(ctx, settings.Listen, settings.ListenMode)
		if err != nil {
			return err
		}
		listeners = []net.Listener{listener}
	}
	n, err := node.New(ctx, node.Deps{
		Config: settings, Now: p.Now, Log: log, Certificate: ready.Certificate, Module: ready.Module, RSA: ready.RSA,
		Supervisor: supervisor.New(log),
		Follow:     &node.Follow{From: from, Started: read, Level: level},
	})
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	if err := p.offerSetup(ctx, settings, n); err != nil {
		return errors.Join(err, closeAll(listeners), n.Close())
	}
	for _, warning := range append(ready.Warnings, n.Warnings(ctx, settings)...) {
		log.Warn(warning)
	}
	addresses := make([]string, len(listeners))
	for i, listener := range listeners {
		addresses[i] = socket.AddressOf(listener)
	}
	if passed && !socket.Reaches(settings.Listen, addresses) {
		log.Warn("signet health will not find this server: set listen to the address of a socket that systemd passes", "listen", settings.Listen)
	}
	p.warnAboutHTTP(settings.Issuer)
	p.growHeap()
	built := readBuild()
	log.Info("listening", "address", strings.Join(addresses, ", "), "issuer", settings.Issuer, "passed_sockets", passed, "version", built.Version, "commit", built.Commit, "rsa", ready.RSA.String())
	return errors.Join(n.Serve(ctx, n, listeners...), n.Close())
}

// closeAll closes the listeners of a start that fails.
func closeAll(listeners []net.Listener) error {
	var err error
	for _, listener := range listeners {
		err = errors.Join(err, listener.Close())
	}
	return err
}

// heapGrowth is the garbage collection target in percent. Only a few megabytes live between
// requests, so the default of 100 would collect hundreds of times a second under load.
const heapGrowth = 300

// growHeap makes a server collect garbage less often, unless GOGC is set.
func (p *program) growHeap() {
	if p.Env["GOGC"] == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// warnAboutHTTP prints a visible warning if the issuer is plain http.
func (p *program) warnAboutHTTP(issuer string) {
	if strings.HasPrefix(issuer, "http://") {
		fmt.Fprintf(p.Stderr, `
  *** The issuer %s is plain http.
  *** Passwords and tokens are sent unencrypted: use this only to try Signet out on this machine.

`, issuer)
	}
}
