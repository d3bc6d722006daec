package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/keys/keeper"
	"signet/storage"
)

// Command returns the command `signet keys` with its subcommands.
func Command(program *cli.Program) *cobra.Command {
	p := commands{program}
	c := &cobra.Command{Use: "keys", Short: "List, rotate and revoke signing keys"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.listCommand(), p.rotateCommand(), p.revokeCommand(), p.rewrapCommand(), p.retireCommand(), p.exportCommand())
	return c
}

func (p commands) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the signing keys",
		Long: `List the signing keys with their state, the time at which the next key takes over, and
the time until which they stay published because of valid tokens. Keys that are no
longer used are listed only with --all.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	all := c.Flags().Bool("all", false, "also list keys that are no longer used")
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		rows, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		life := settings.Lifetimes.KeyLife(settings.Keys)
		described := []keeper.KeyDocument{} // never null
		for _, k := range life.Schedule(rows, p.Now()) {
			if k.State != storage.KeyGone || *all {
				described = append(described, keeper.DescribeKey(k))
			}
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"keys": described})
		}
		if len(rows) == 0 {
			p.Say("there are no keys yet; the first start of the server creates them")
			return nil
		}
		return p.WriteTable(p.tableOfKeys(described))
	})
	return c
}

func (p commands) retireCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "retire ALG",
		Short: "Stop signing with an algorithm that was removed from keys.algorithms",
		Long: `Stop signing with an algorithm. First remove it from keys.algorithms on every node and
restart the nodes; they still verify its tokens. After this command, its keys stay in
the JWKS until their last token has expired.`,
		Args: cli.ExactArgs("an algorithm"),
	}
	asJSON := cli.JSONFlag(c)
	p.withKeeper(c, func(ctx context.Context, _ config.Config, _ *storage.DB, keys *keeper.Keeper, args []string) error {
		switch err := keys.Retire(ctx, args[0], storage.By{From: cli.Origin(), At: p.Now()}); {
		case errors.Is(err, keeper.ErrStillConfigured):
			return exit.New(exit.AlgorithmConfigured, err, "")
		case errors.Is(err, storage.ErrConflict):
			return exit.New(exit.AlgorithmInUse, err, "")
		case errors.Is(err, storage.ErrNotFound):
			return exit.New(exit.NotFound, fmt.Errorf("no key signs with %q; nothing was changed", args[0]), "list the keys with: signet keys list")
		case err != nil:
			return err
		}
		p.Say("nothing is signed with %s any more; existing tokens stay valid until they expire", args[0])
		if *asJSON {
			return p.WriteJSON(map[string]string{"retired": args[0]})
		}
		return nil
	})
	return c
}

func (p commands) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export-public",
		Short: "Print the published keys, in PEM form or as a JWKS",
		Long: `Print the published keys, for gateways and libraries that cannot fetch a JWKS. Configure
the keys there again after each rotation.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	p.withKeeper(c, func(ctx context.Context, _ config.Config, _ *storage.DB, keys *keeper.Keeper, _ []string) error {
		list, jwks, err := keys.Public(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			_, err := fmt.Fprintf(p.Stdout, "%s\n", jwks.Body)
			return err
		}
		for _, k := range list {
			if _, err := fmt.Fprintf(p.Stdout, "# kid %s, %s, %s\n%s", k.ID, k.Algorithm, k.State, k.PEM); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}
