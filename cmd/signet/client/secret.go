package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/federation/foreign"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) secretCommand() *cobra.Command {
	c := &cobra.Command{Use: "secret", Short: "Replace the secret of a client"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.secretRotateCommand())
	return c
}

func (p commands) secretRotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate CLIENT_ID",
		Short: "Give a client a new secret",
		Long: `Give a client a new secret, which is printed only once. The old secret stays valid for
--overlap, so that you can update the client without an interruption. At most two
secrets are valid: if an earlier rotation still overlaps, its old secret expires now.`,
		Example: `  signet client secret rotate my-app
  signet client secret rotate my-app --overlap 0s   # the old secret has leaked`,
		Args: cli.ExactArgs("the client's id"),
	}
	text := c.Flags().String("overlap", directory.DefaultOverlap, "time for which the old secret stays valid, 0s to 90d")
	asJSON := cli.JSONFlag(c)
	var overlap time.Duration
	cli.CheckUsage(c, func() (err error) {
		if overlap, err = foreign.ParseDuration(*text, 0, directory.LongestOverlap); err != nil {
			return fmt.Errorf("--overlap %w", err)
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		rotated, secret, err := p.Directory(settings, db).RotateSecret(ctx, args[0], overlap, cli.Origin())
		switch {
		case errors.Is(err, directory.ErrPublicClient):
			err = exit.New(exit.PublicClient, err, "")
		case errors.Is(err, directory.ErrKeyClient):
			err = exit.New(exit.KeyClient, err, "")
		}
		if err != nil {
			return clientError(args[0], err)
		}
		if until := rotated.Secrets[1].ExpiresAt; until != 0 {
			p.Say("the old secret is valid until %s", until.Time().Format("2006-01-02 15:04:05 MST"))
		} else {
			p.Say("older secrets are no longer valid")
		}
		return p.showClient(p.Directory(settings, db), rotated, secret, *asJSON)
	})
	return c
}
