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

// commands are the commands of the noun.
type commands struct{ *cli.Program }

// refusedClient answers a refusal to create or change a client. It is nil for other errors.
func refusedClient(c *cobra.Command, id string, err error) error {
	switch noKey, is := errors.AsType[*directory.NoKeyError](err); {
	case is:
		return exit.New(exit.NoSigningKey, noKey, "")
	case errors.Is(err, directory.ErrInvalidClient):
		return cli.RuleError(c, exit.InvalidClient, err)
	case errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, fmt.Errorf("there is a client %q already", id), "choose another --id, or look at it with: signet client show "+id)
	}
	return nil
}

// aboutClient names the client that an error is about, and for one that is not
// there the way to find it.
func aboutClient(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return exit.New(exit.NotFound, fmt.Errorf("there is no client %q", id), "list the clients with: signet client list")
	}
	return fmt.Errorf("client %s: %w", id, err)
}

func clientState(c storage.Client) string {
	if !c.Enabled() {
		return "disabled"
	}
	return "enabled"
}
