package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
)

// Confirm names the damage and has what is to be harmed typed.
func (p *Program) Confirm(c *cobra.Command, damage, what string, is func(typed string) bool) error {
	if !IsTerminal(p.Stdin) {
		return UsageError(c, errors.New("this is not done without a word: --yes, or a terminal to ask at"))
	}
	fmt.Fprintf(p.Stderr, "%s\nType %s to go on: ", damage, what)
	typed, _ := bufio.NewReader(p.Stdin).ReadString('\n')
	if !is(strings.TrimSpace(typed)) {
		return exit.New(exit.NotConfirmed, errors.New("not confirmed; nothing was changed"), "")
	}
	return nil
}
