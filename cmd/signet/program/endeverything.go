package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/keys"
	"signet/cmd/signet/node"
	"signet/federation/foreign"
	"signet/provider/keys/keeper"
	"signet/storage"
)

// endConfirmation is the text that the operator types.
const endConfirmation = "end everything"

func (p *program) endEverythingCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "end-everything --reason TEXT",
		Short: "End all sessions and tokens and replace all keys, after a theft",
		Long: `End all sessions and tokens and replace all keys. This is for the case that the database,
a backup or the master key may have been stolen.

The command ends every session and every token, including those for offline access, and
every sign-in that is in progress. It revokes every key, also the next ones, because a
thief of the database and the master key has them too. New keys sign at once. It also
deletes setup links and device codes. All of this is one step: if the command is killed,
everything or nothing has happened, and it can run again.

Servers can run meanwhile. They follow within a second. All users must sign in again.
Applications that support back-channel logout get a logout notice for each session.
Sign-ins can fail for a few minutes in applications that fetch the keys only rarely.

Passwords, client secrets, linked upstream accounts and consents stay. The output says
what else to replace.`,
		Example: `  signet end-everything --dry-run
  signet end-everything --reason "backup disk lost"
  signet end-everything --reason "server broken into" --yes --json`,
		Args: cli.ExactArgs(),
	}
	reason := c.Flags().String("reason", "", "reason, for the audit events (required)")
	dryRun := c.Flags().Bool("dry-run", false, "only count what would end, and change nothing")
	yes := c.Flags().Bool("yes", false, "do not ask for confirmation")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if strings.TrimSpace(*reason) == "" && !*dryRun {
			return errors.New(`the reason is missing: pass --reason TEXT, such as --reason "backup disk lost"`)
		}
		return nil
	})
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		clock := node.NewClock(p.Now) // the servers write times of this clock
		if err := clock.Measure(ctx, db); err != nil {
			return fmt.Errorf("measure the database's clock: %w", err)
		}
		extent, err := db.Extent(ctx, clock.Now())
		if err != nil {
			return err
		}
		if *dryRun {
			p.Say("nothing was changed: this is what signet end-everything would end")
			return p.showEnded(describedEnd{DryRun: true, Sessions: extent.Sessions, Grants: extent.Grants, Keys: extent.Keys}, *asJSON)
		}
		if !*yes {
			damage := fmt.Sprintf("This ends %s and %s, and revokes %s.\nAll users must sign in again. This cannot be undone.",
				counted(extent.Sessions, "session"), counted(extent.Grants, "grant"), counted(extent.Keys, "key"))
			if err := p.Confirm(c, damage, endConfirmation, func(typed string) bool { return typed == endConfirmation }); err != nil {
				return err
			}
		}
		done, err := p.endEverything(ctx, settings, db, strings.TrimSpace(*reason), clock)
		if err != nil {
			return keys.WithExitCode(err)
		}
		p.sayAfterEnd(settings, extent)
		if waiting := cmp.Or(done.MakeError, done.DestroyError); waiting != nil {
			p.Say("%s", waiting)
		}
		return p.showEnded(describeEnd(done, extent), *asJSON)
	})
	return c
}

func (p *program) endEverything(ctx context.Context, c config.Config, db *storage.DB, reason string, clock *node.Clock) (keeper.Replaced, error) {
	rows, err := db.Keys(ctx)
	if err != nil {
		return keeper.Replaced{}, fmt.Errorf("read keys: %w", err)
	}
	ending := storage.Ending{Reason: reason, HostUser: p.HostUser()}
	if len(rows) == 0 { // no server has used the database, so there may be no master key
		ended, err := db.EndEverything(ctx, ending, storage.By{From: cli.Origin(), At: clock.Now()})
		return keeper.Replaced{Ended: ended}, err
	}
	opened, err := keys.OpenKeeper(ctx, c, db)
	if err != nil {
		return keeper.Replaced{}, err
	}
	return opened.EndEverything(ctx, ending, storage.By{From: cli.Origin(), At: clock.Now()})
}

// sayAfterEnd says which things the command has not ended, with the next commands.
func (p *program) sayAfterEnd(c config.Config, extent storage.Extent) {
	p.Say("all sessions, tokens, codes and unfinished sign-ins have ended; running servers follow within a second, and all users must sign in again")
	p.Say("running servers send logout notices to %d of %s; the others keep their own sessions until these end there",
		extent.NotifiedClient, counted(extent.Clients, "application"))
	p.Say("applications and APIs that verify tokens themselves accept the old ones until they fetch the JWKS again, usually within %s (keys.jwks_max_age);"+
		" those that never fetch it again accept them until they expire, at most %s (lifetimes.access)",
		foreign.FormatDuration(c.Lifetimes.KeyLife(c.Keys).MaxAge), foreign.FormatDuration(c.Lifetimes.Access))
	p.Say("the new keys are encrypted with the present master key: if somebody else may have it, run signet keys rewrap, then this command again")
	p.Say("passwords stay valid, and their hashes are in the database: set new ones with signet user set-password, or disable users with signet user disable")
	p.Say("client secrets stay valid: replace them with signet client secret rotate CLIENT_ID")
	p.Say("client secrets of connectors stay valid: replace them at the upstreams and in the settings")
	if extent.UpstreamTokens > 0 {
		p.Say("%s of upstreams stay valid there: revoke them at the upstream", counted(extent.UpstreamTokens, "stored token"))
	}
	p.Say("look for administrators and clients that you do not know: signet user list --admin, signet client list, signet events")
}

// counted returns a number with its noun, such as "1 session" or "2 sessions".
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// describedEnd is the JSON form of the result.
type describedEnd struct {
	DryRun      bool       `json:"dry_run,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"` // everything from before this moment is invalid
	Sessions    int64      `json:"sessions"`
	Grants      int64      `json:"grants"`
	Keys        int64      `json:"keys"`
	KeysRevoked []string   `json:"keys_revoked,omitempty"`
	KeysMade    []string   `json:"keys_made,omitempty"`
}

func describeEnd(done keeper.Replaced, extent storage.Extent) describedEnd {
	at := done.NotBefore.Time()
	return describedEnd{
		EndedAt: &at, Sessions: extent.Sessions, Grants: extent.Grants, Keys: int64(len(done.Revoked)),
		KeysRevoked: kids(done.Revoked), KeysMade: kids(done.Made),
	}
}

func kids(rows []storage.Key) []string {
	var list []string
	for _, k := range rows {
		list = append(list, k.ID)
	}
	return list
}

func (p *program) showEnded(d describedEnd, asJSON bool) error {
	if asJSON {
		return p.WriteJSON(d)
	}
	at := ""
	if d.EndedAt != nil {
		at = cli.FormatTime(*d.EndedAt)
	}
	return p.WriteTable(cli.DropEmptyRows([][]string{
		{"ended at", at},
		{"sessions", strconv.FormatInt(d.Sessions, 10)},
		{"grants", strconv.FormatInt(d.Grants, 10)},
		{"keys", strconv.FormatInt(d.Keys, 10)},
		{"new keys", strings.Join(d.KeysMade, " ")},
	}))
}
