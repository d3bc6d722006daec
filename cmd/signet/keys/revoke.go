package keys

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/keys/keeper"
	"signet/storage"
	"signet/templates"
)

func (p commands) revokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke KID",
		Short: "Revoke a leaked key immediately",
		Long: `Revoke a leaked key immediately. Within a second, all servers refuse everything that it
has signed, and its private key is destroyed. If the key is active, the next key signs
from now on.

To replace a key that has not leaked, use: signet keys rotate.`,
		Args: cli.ExactArgs("the kid of a key, or its first characters"),
	}
	reason := c.Flags().String("reason", "", "reason of the revocation, for the audit events")
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
	asJSON := cli.JSONFlag(c)
	p.withKeeper(c, func(ctx context.Context, _ config.Config, db *storage.DB, keys *keeper.Keeper, args []string) error {
		rows, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		k, err := findKey(rows, args[0])
		if err != nil {
			return err
		}
		if k.State == storage.KeyRevoked {
			return exit.New(exit.RevokedAlready, fmt.Errorf("key %s was revoked at %s", k.ID, cli.FormatTime(k.RevokedAt.Time())), "no further step is needed")
		}
		if !*yes {
			if err := p.confirmRevocation(c, k, templates.KeyConsequences(keeper.ConsequencesOf(rows, k))); err != nil {
				return err
			}
		}
		done, err := keys.Revoke(ctx, k.ID, *reason, storage.By{From: cli.Origin(), At: p.Now()})
		if err != nil {
			return err
		}
		if rows, err = db.Keys(ctx); err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		after, _ := keys.Life().Aftermath(rows, k.ID)
		for _, sentence := range templates.KeyAftermath(after).Sentences(cli.FormatTime) {
			p.Say("%s", sentence)
		}
		if waiting := cmp.Or(done.MakeError, done.DestroyError); waiting != nil {
			p.Say("%s", waiting)
		}
		return p.showRevoked(keeper.DescribeRevocation(after, done.Made), *asJSON)
	})
	return c
}

func (p commands) confirmRevocation(c *cobra.Command, k storage.Key, consequences templates.KeyConsequences) error {
	damage := fmt.Sprintf("Revoking the %s %s key %s.\n%s %s", k.State, k.Line, k.ID, consequences.Damage(), consequences.Succession(cli.FormatTime))
	return p.Confirm(c, damage, "the kid, or its first 8 characters,", func(typed string) bool { return keeper.Confirms(typed, k.ID) })
}

func (p commands) showRevoked(d keeper.RevocationDocument, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(d)
	}
	since, cached := "", ""
	if d.SignsNowSince != nil {
		since = cli.FormatTime(*d.SignsNowSince)
	}
	if d.CachedUntil != nil {
		cached = cli.FormatTime(*d.CachedUntil)
	}
	return p.WriteTable(cli.DropEmptyRows([][]string{
		{"revoked", d.KeyID},
		{"alg", d.Alg},
		{"state before", d.State},
		{"reason", d.Reason},
		{"signs now", d.SignsNow},
		{"published since", since},
		{"new keys", strings.Join(d.Made, " ")},
		{"cached until", cached},
	}))
}
