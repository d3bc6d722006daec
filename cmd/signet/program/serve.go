package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
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
	ready := p.prepare(ctx, read)
	if err := read.Err(); err != nil {
		return err
	}
	settings := read.Config
	level := &slog.LevelVar{}
	level.Set(settings.LogLevel)
	log := node.NewLog(p.Stderr, level)
	signal.Ignore(syscall.SIGPIPE) // a log that nobody reads any more is no reason to stop
	listener, err := node.Listen(ctx, settings.Listen)
	if err != nil {
		return err
	}
	n, err := node.New(ctx, node.Deps{
		Config: settings, Now: p.Now, Log: log, Certificate: ready.Certificate, Module: ready.Module, RSA: ready.RSA,
		Supervisor: supervisor.New(log),
		Follow:     &node.Follow{From: from, Started: read, Level: level},
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := p.offerSetup(ctx, settings, n); err != nil {
		return errors.Join(err, listener.Close(), n.Close())
	}
	for _, warning := range append(ready.Warnings, n.Warnings(ctx, settings)...) {
		log.Warn(warning)
	}
	p.warnAboutHTTP(settings.Issuer)
	p.growHeap()
	built := readBuild()
	log.Info("listening", "address", listener.Addr().String(), "issuer", settings.Issuer, "version", built.Version, "commit", built.Commit, "rsa", ready.RSA.String())
	return errors.Join(n.Serve(ctx, listener, n), n.Close())
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
