package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
)

// Main runs the command of the process and ends the process with the exit code. Only Main reads
// arguments, environment, streams and signals from the operating system.
func Main() {
	// All files that the program creates are readable only by this user.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(Run(ctx, &cli.Program{
		Env:    cli.ParseEnvironment(os.Environ()),
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: &cli.LockedWriter{To: os.Stderr},
		Now:    time.Now,

		SystemSettings: config.SystemFile,
	}, os.Args[1:]))
}
