package client

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/provider/directory"
	"signet/storage"
)

// commands holds the `signet client` commands.
type commands struct{ *cli.Program }

// refusalError returns the error of a refusal to create or change a client, with its code and
// next step. It returns nil if err is not a refusal.
func refusalError(c *cobra.Command, id string, err error) error {
	switch noKey, is := errors.AsType[*directory.NoKeyError](err); {
	case is:
		return exit.New(exit.NoSigningKey, noKey, "")
	case errors.Is(err, directory.ErrInvalidClient):
		return cli.RuleError(c, exit.InvalidClient, err)
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("the client %q exists already", id), "choose another --id, or show the client with: signet client show "+id)
	}
	return nil
}

// clientError adds the client id to an error. If the client does not exist, the next step is
// the list command.
func clientError(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return exit.New(exit.NotFound, fmt.Errorf("there is no client %q", id), "list the clients with: signet client list")
	}
	return fmt.Errorf("client %s: %w", id, err)
}

func clientState(c storage.Client) string {
	if !c.Enabled() {
		return "disabled"
	}
	if c.IsUnapproved() {
		return "unapproved"
	}
	return "enabled"
}
