package user

import (
	"context"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/directory"
	"signet/storage"
)

func (p commands) factorsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "factors EMAIL|SUB",
		Short:   "List the factors of a user: password, authenticator app, recovery codes",
		Example: "  signet user factors ada@example.com --json",
		Args:    cli.ExactArgs(EmailOrSubject),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, _ config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		attached, err := db.AttachedTo(ctx, u.ID, p.Now())
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		factors := DescribedAttached{Factors: directory.DescribeFactors(attached.Factors)}
		if *asJSON {
			return p.WriteJSON(map[string]any{"factors": factors.Factors, "always_ask": u.AlwaysAskAt != 0})
		}
		if len(factors.Factors) == 0 {
			p.Say("%s has no factors", DisplayName(u))
			return nil
		}
		return p.WriteTable(append(factors.rows(), alwaysAskRows(u)...))
	})
	return c
}

// alwaysAskRows says that the user is asked for a passkey at each sign-in.
func alwaysAskRows(u storage.User) [][]string {
	if u.AlwaysAskAt == 0 {
		return nil
	}
	return [][]string{{"always ask", commaList("for a passkey at each sign-in", usagePeriod(u.AlwaysAskAt.Time(), nil))}}
}

func (p commands) resetFactorsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reset-factors EMAIL|SUB",
		Short: "Remove all factors of a user except the password",
		Long: `Remove all factors of a user except the password: the authenticator app, the passkeys, the
security keys and the recovery codes. The user is no longer asked for a passkey at each
sign-in. Use it after a user has lost them. First make sure that the request comes
from the user: afterwards, the password or an identity alone opens the account.

All sessions and tokens of the user end. The user gets a mail, if the server sends mails and
the email address is verified.`,
		Example: "  signet user reset-factors ada@example.com --yes",
		Args:    cli.ExactArgs(EmailOrSubject),
	}
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
	reason := reasonFlag(c)
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error { return checkReasonFlag(*reason) })
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		u, err := Find(ctx, db, args[0])
		if err != nil {
			return err
		}
		if !*yes {
			damage := "Removing the factors of " + DisplayName(u) + " cannot be undone, and all sessions end."
			if err := p.Confirm(c, damage, "that name", func(typed string) bool { return typed == DisplayName(u) }); err != nil {
				return err
			}
		}
		removed, err := p.Directory(settings, db).ResetFactors(ctx, storage.FactorReset{UserID: u.ID, Support: storage.Support{Note: *reason}}, cli.Origin())
		if err != nil {
			return ErrorAbout(args[0], err)
		}
		described := directory.DescribeFactors(removed)
		if len(removed) == 0 {
			p.Say("%s has no factors except the password; nothing was changed", DisplayName(u))
		} else {
			p.Say("removed from %s; all sessions and tokens have ended", DisplayName(u))
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"removed": described})
		}
		return p.WriteTable(DescribedAttached{Factors: described}.rows())
	})
	return c
}
