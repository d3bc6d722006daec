package program

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/client"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/keys"
	"signet/cmd/signet/user"
)

// Run executes the command in args, which do not include the name of the program, and returns its
// exit code. A command that serves ends when ctx ends. Several goroutines write to Stderr.
func Run(ctx context.Context, surroundings *cli.Program, args []string) int {
	p := &program{surroundings}
	root := p.rootCommand()
	root.SetArgs(append([]string{}, args...)) // never nil: cobra would read os.Args
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	return p.report(root.ExecuteContext(ctx))
}

// report prints err with its next step to standard error, and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exit.OK
	}
	found := exit.Classify(err)
	text := found.Error()
	if found.Code.Number() == exit.Denied {
		text = found.Code.Name() + ": " + text // the first word of a refusal is its stable code
	}
	fmt.Fprintf(p.Stderr, "signet: %s\n  %s\n", text, found.Next)
	return found.Code.Number()
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "signet",
		Short:         "Signet is an OpenID Connect provider.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true // our own command also completes values
	cli.RequireSubcommand(root)
	root.AddCommand(
		p.serveCommand(), p.devCommand(), p.setupLinkCommand(),
		user.Command(p.Program), client.Command(p.Program), p.registrationCommand(), p.sessionCommand(), p.connectorCommand(), keys.Command(p.Program), p.passkeysCommand(), p.eventsCommand(), p.webhookCommand(), p.mailCommand(),
		p.configCommand(), p.migrateCommand(), p.backupCommand(), p.restoreCommand(), p.endEverythingCommand(), p.healthCommand(), p.completionCommand(), p.versionCommand(),
	)
	p.addCompletions(root)
	return root
}
