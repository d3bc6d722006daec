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

// Command gives the command `signet keys` and those below it.
func Command(program *cli.Program) *cobra.Command {
	p := commands{program}
	c := &cobra.Command{Use: "keys", Short: "Look after the signing keys"}
	cli.RequireSubcommand(c)
	c.AddCommand(p.listCommand(), p.rotateCommand(), p.revokeCommand(), p.rewrapCommand(), p.retireCommand(), p.exportCommand())
	return c
}

func (p commands) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the signing keys",
		Long: `List the signing keys: which sign, until when by the schedule, and how long they stay
published for the tokens that live. Keys that are gone are left out unless --all.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	all := c.Flags().Bool("all", false, "keys that are gone too")
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		rows, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		life := settings.Lifetimes.KeyLife(settings.Keys)
		described := []describedKey{} // never null
		for _, k := range life.Schedule(rows, p.Now()) {
			if k.State != storage.KeyGone || *all {
				described = append(described, describeKey(k))
			}
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"keys": described})
		}
		if len(rows) == 0 {
			p.Say("there are no keys yet: the first start makes them")
			return nil
		}
		return p.WriteTable(p.tableOfKeys(described))
	})
	return c
}

func (p commands) retireCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "retire ALG",
		Short: "End an algorithm that is no longer in keys.algorithms",
		Long: `End an algorithm. First take it out of keys.algorithms on every node and restart them:
they go on checking what was signed with it. Its keys then leave the JWKS when their
last token is dead.`,
		Args: cli.ExactArgs("an algorithm"),
	}
	asJSON := cli.JSONFlag(c)
	p.withKeeper(c, func(ctx context.Context, _ config.Config, _ *storage.DB, keys *keeper.Keeper, args []string) error {
		switch err := keys.Retire(ctx, args[0], storage.By{From: cli.Origin(), At: p.Now()}); {
		case errors.Is(err, keeper.ErrConfigured):
			return exit.New(exit.AlgorithmConfigured, err, "take it out of keys.algorithms on every node and restart them first")
		case errors.Is(err, storage.ErrConflict):
			return exit.New(exit.AlgorithmInUse, err, "give the client another with: signet client update CLIENT_ID --id-token-signed-response-alg ALG")
		case errors.Is(err, storage.ErrNotFound):
			return exit.New(exit.NotFound, fmt.Errorf("no key signs with %q; nothing was changed", args[0]), "see: signet keys list")
		case err != nil:
			return err
		}
		p.Say("nothing is signed with %s any more; what was stays good until it expires", args[0])
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
		Short: "Write the published keys, in PEM form or as a JWKS",
		Long: `Write the published keys: for gateways and libraries that cannot read a JWKS by
themselves. They must be given the keys again after each rotation.`,
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
