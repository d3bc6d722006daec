package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/client"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/keys"
	"signet/cmd/signet/user"
)

func main() {
	// Whatever is written from here on is for this user alone.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program: it executes the command that args (without the
// program's name) ask for and gives its exit code. env has the shape of
// os.Environ. A command that serves ends when ctx does.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runIn(ctx, &cli.Program{
		Env:    environment(env),
		Stdin:  stdin,
		Stdout: stdout,
		Stderr: &cli.LockedWriter{To: stderr},
		Now:    time.Now,
	}, args)
}

// runIn is run in other surroundings, such as another clock.
func runIn(ctx context.Context, surroundings *cli.Program, args []string) int {
	p := &program{surroundings}
	root := p.rootCommand()
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would read os.Args
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	return p.report(root.ExecuteContext(ctx))
}

// report says what went wrong on standard error, and gives the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exit.OK
	}
	found := exit.Of(err)
	fmt.Fprintf(p.Stderr, "signet: %s\n  %s\n", found.Err, found.Next)
	return found.Code
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "signet",
		Short:         "Signet is an OpenID Connect provider.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true // ours says more
	cli.Noun(root)
	root.AddCommand(
		p.serveCommand(), p.devCommand(), p.setupLinkCommand(),
		user.Command(p.Program), client.Command(p.Program), p.sessionCommand(), p.connectorCommand(), keys.Command(p.Program), p.eventsCommand(),
		p.configCommand(), p.migrateCommand(), p.backupCommand(), p.restoreCommand(), p.healthCommand(), p.completionCommand(), p.versionCommand(),
	)
	p.completed(root)
	return root
}

// environment reads the shape of os.Environ; of a name that comes twice the last
// one counts, as os/exec has it.
func environment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}
