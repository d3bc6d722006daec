package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"signet/cmd/signet/cli"
)

// Main does what the process was started for, and ends it with the exit code. What the
// operating system gives to a program is read here, and nowhere else.
func Main() {
	// Whatever is written from here on is for this user alone.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(Run(ctx, &cli.Program{
		Env:    cli.ParseEnvironment(os.Environ()),
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: &cli.LockedWriter{To: os.Stderr},
		Now:    time.Now,
	}, os.Args[1:]))
}
