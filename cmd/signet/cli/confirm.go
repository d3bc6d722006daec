package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
)

// Confirm prints the damage that c is about to do, and asks the operator to type the name of
// the object, which prompt describes. It returns nil if matches accepts the input.
//
// Without a terminal it is a usage error. exit.NotConfirmed: the input did not match.
func (p *Program) Confirm(c *cobra.Command, damage, prompt string, matches func(typed string) bool) error {
	if !IsTerminal(p.Stdin) {
		return UsageError(c, errors.New("confirmation needed: pass --yes, or run this in a terminal"))
	}
	fmt.Fprintf(p.Stderr, "%s\nType %s to continue: ", damage, prompt)
	typed, _ := bufio.NewReader(p.Stdin).ReadString('\n')
	if !matches(strings.TrimSpace(typed)) {
		return exit.New(exit.NotConfirmed, errors.New("not confirmed; nothing was changed"), "")
	}
	return nil
}
