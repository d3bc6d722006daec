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

// RequireSubcommand makes c a command that only holds others: alone or with a word it does
// not know it is a usage error, never a silent help page with exit code 0.
func RequireSubcommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.SetFlagErrorFunc(flagError)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return UsageError(c, fmt.Errorf("%s needs a command: %s", c.CommandPath(), strings.Join(verbs(c), ", ")))
		}
		return UsageError(c, fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), spelling.DidYouMean(args[0], verbs(c))))
	}
}

func verbs(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// flagError answers a flag that does not exist with the nearest that does.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return UsageError(c, err)
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	name := unknown.GetSpecifiedName()
	return UsageError(c, fmt.Errorf("unknown flag --%s%s", name, spelling.DidYouMean("--"+name, known)))
}

// UsageError is a mistake in how the command was called.
func UsageError(c *cobra.Command, err error) error {
	return exit.New(exit.Usage, err, seeHelp(c))
}

// RuleError makes the error of a rule that refuses values of the command line, and adds where
// its help is. An error that the table of exit codes knows has the code of the table.
func RuleError(c *cobra.Command, code exit.Code, err error) error {
	return exit.New(code, err, seeHelp(c))
}

func seeHelp(c *cobra.Command) string { return "see: " + c.CommandPath() + " --help" }

// RequireFlags refuses a command line without one of the flags that it must have.
func RequireFlags(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if !c.Flags().Changed(name) {
			return UsageError(c, fmt.Errorf("--%s is missing", name))
		}
	}
	return nil
}

// ExactArgs refuses any number of arguments but those it names.
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

// JSONFlag gives c the flag --json.
func JSONFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print JSON")
}

// DropEmpty lets an empty value alone stand for no value.
func DropEmpty(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
