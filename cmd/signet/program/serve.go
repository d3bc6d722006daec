package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/node"

	"github.com/spf13/cobra"
)

func (p *program) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Long: `Run the provider until SIGINT or SIGTERM; requests under way then have 10 seconds.

The settings come from the file (` + config.DefaultFile + ` unless --config names another), then from
SIGNET_… variables, then from flags; what comes later wins.`,
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
	listener, err := node.Listen(ctx, settings.Listen)
	if err != nil {
		return err
	}
	n, err := node.New(ctx, node.Deps{
		Config: settings, Now: p.Now, Log: log, Certificate: ready.Certificate, Module: ready.Module,
		Follow: &node.Follow{From: from, Started: read, Level: level},
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
	p.warnOfHTTP(settings.Issuer)
	p.growHeap()
	built := readBuild()
	log.Info("listening", "address", listener.Addr().String(), "issuer", settings.Issuer, "version", built.Version, "commit", built.Commit)
	return errors.Join(n.Serve(ctx, listener, n), n.Close())
}

// heapGrowth in percent. What lives between requests is a few megabytes, so the
// runtime's own 100 would collect hundreds of times a second under load.
const heapGrowth = 300

// growHeap has a server collect garbage less often, unless GOGC says how often.
func (p *program) growHeap() {
	if p.Env["GOGC"] == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// warnOfHTTP is loud where tokens and passwords travel in the clear.
func (p *program) warnOfHTTP(issuer string) {
	if strings.HasPrefix(issuer, "http://") {
		fmt.Fprintf(p.Stderr, `
  *** The issuer %s is plain http.
  *** Passwords and tokens travel unprotected: for trying out on this machine only.

`, issuer)
	}
}
