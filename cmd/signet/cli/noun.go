package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/exit"
	"signet/provider/spelling"
)

// RequireSubcommand makes c a command that only groups other commands. Without a subcommand,
// or with an unknown one, c fails with a usage error. Cobra alone would print the help and
// end with exit code 0.
func RequireSubcommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.SetFlagErrorFunc(flagError)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return UsageError(c, fmt.Errorf("%s needs a command: %s", c.CommandPath(), strings.Join(subcommandNames(c), ", ")))
		}
		return UsageError(c, fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), spelling.DidYouMean(args[0], subcommandNames(c))))
	}
}

func subcommandNames(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// flagError returns a usage error. For an unknown flag it suggests the nearest known one;
// for a number that does not parse it replaces the message of strconv.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "int" {
		return UsageError(c, fmt.Errorf("--%s is %q, which is not a whole number", invalid.GetFlag().Name, invalid.GetValue()))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return UsageError(c, err)
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	name := unknown.GetSpecifiedName()
	return UsageError(c, fmt.Errorf("unknown flag --%s%s", name, spelling.DidYouMean("--"+name, known)))
}

// UsageError returns err as a mistake in the command line (exit code 2), and adds the help
// command.
func UsageError(c *cobra.Command, err error) error {
	return exit.New(exit.Usage, err, seeHelp(c))
}

// RuleError returns err, the refusal of a value by a rule, with a code and the help command.
// If the table of exit codes knows err, the code of the table counts.
func RuleError(c *cobra.Command, code exit.Code, err error) error {
	return exit.New(code, err, seeHelp(c))
}

func seeHelp(c *cobra.Command) string { return "see: " + c.CommandPath() + " --help" }

// CheckUsage makes c run check before everything else: a mistake in the command line is
// reported with exit code 2 whether or not there is a database. check returns nil, or an error
// without an exit code, which becomes a usage error.
func CheckUsage(c *cobra.Command, check func() error) {
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		err := check()
		if err == nil {
			return nil
		}
		if _, decided := errors.AsType[*exit.Problem](err); decided {
			return err
		}
		return UsageError(c, err)
	}
}

// RequireFlags returns a usage error if one of the flags was not passed.
func RequireFlags(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if !c.Flags().Changed(name) {
			return UsageError(c, fmt.Errorf("the flag --%s is missing", name))
		}
	}
	return nil
}

// ExactArgs accepts exactly one argument for each name. Error messages use the names.
func ExactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > len(names):
			return UsageError(c, fmt.Errorf("%s does not take %q", c.CommandPath(), args[len(names)]))
		case len(args) < len(names):
			return UsageError(c, fmt.Errorf("%s needs %s", c.CommandPath(), names[len(args)]))
		}
		return nil
	}
}

// JSONFlag adds the flag --json to c.
func JSONFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print JSON")
}

// DropEmpty returns the list without empty values. So a list flag with one empty value
// clears the list.
func DropEmpty(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
