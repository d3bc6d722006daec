package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/provider/keys/keeper"
	"signet/storage"
)

// minPublishedForNow is the time for which a next key must have been published for --now. It
// covers verifiers that fetch the JWKS every ten minutes.
const minPublishedForNow = 10 * time.Minute

func (p commands) rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Rotate the signing keys",
		Long: `Rotate the signing keys: the next keys start to sign, and new next keys are created.
The old keys stay published until their last token has expired. Servers follow within
a second.

A next key must have been published for keys.publish_before (24h), so that every client
has fetched it. --now requires only 10 minutes, and --force requires nothing. Without
--alg, all algorithms rotate, or none does. --alg internal rotates the internal secrets,
which are never published; their next key must be at least a minute old in any case.

If more than eight retired keys of an algorithm are published, the command changes
nothing, ends with exit code 6 and prints the time from which it is possible.`,
		Args: cli.ExactArgs(),
	}
	alg := c.Flags().String("alg", "", "rotate only this algorithm; internal rotates the internal secrets")
	now := c.Flags().Bool("now", false, "accept a next key that has been published for 10 minutes")
	force := c.Flags().Bool("force", false, "accept any next key; clients with cached keys may refuse tokens until they fetch the JWKS again")
	asJSON := cli.JSONFlag(c)
	cli.CheckUsage(c, func() error {
		if *now && *force {
			return errors.New("--now and --force exclude each other")
		}
		return nil
	})
	p.withKeeper(c, func(ctx context.Context, settings config.Config, db *storage.DB, keys *keeper.Keeper, _ []string) error {
		wait := settings.Keys.PublishBefore
		switch {
		case *now:
			wait = min(wait, minPublishedForNow)
		case *force:
			wait = 0
		}
		var lines []string
		if *alg != "" {
			lines = []string{*alg}
		}
		readers, err := db.JWKSReaders(ctx)
		if err != nil {
			return fmt.Errorf("list readers of the JWKS: %w", err)
		}
		done, err := keys.Rotate(ctx, lines, wait, storage.By{From: cli.Origin(), At: p.Now()})
		if err != nil {
			return err
		}
		return p.showRotated(done, readersSince(readers, done), *asJSON)
	})
	return c
}

// readiness lists the readers that have fetched the JWKS since the present signing keys were
// published. It cannot show that all clients have: caches fetch for others, and clients without
// their own User-Agent cannot be distinguished.
type readiness struct {
	Seen   []string        `json:"seen"`
	Unseen []unseenReaders `json:"unseen"` // fetched the JWKS before, but not since
}

type unseenReaders struct {
	Family     string    `json:"family"`
	LastSeenAt time.Time `json:"last_seen_at"`
}

// readersSince returns the readiness for the youngest published key, and nil if only internal
// secrets were rotated.
func readersSince(readers []storage.JWKSReader, done []keeper.Rotated) *readiness {
	var since time.Time
	for _, r := range done {
		if r.Line != storage.InternalLine {
			since = later(since, r.Since)
		}
	}
	if since.IsZero() {
		return nil
	}
	known := readiness{Seen: []string{}, Unseen: []unseenReaders{}}
	seen, unseen := keeper.SeenSince(readers, since)
	for _, r := range seen {
		known.Seen = append(known.Seen, r.Family)
	}
	for _, r := range unseen {
		known.Unseen = append(known.Unseen, unseenReaders{r.Family, r.SeenAt.Time()})
	}
	return &known
}

func (p commands) sayReadiness(known *readiness) {
	if known == nil {
		return
	}
	for _, r := range known.Unseen {
		p.Say("unseen: %s last fetched the JWKS %s, before it contained the new signing keys; it may refuse new tokens until it fetches the JWKS again",
			r.Family, p.formatRelative(&r.LastSeenAt))
	}
	if len(known.Seen) == 0 {
		p.Say("unseen: no application has fetched the JWKS since these keys were published, so it is unknown which ones already have them")
	} else {
		p.Say("seen since these keys were published: %s", strings.Join(known.Seen, ", "))
	}
}

func (p commands) showRotated(done []keeper.Rotated, known *readiness, asJSON bool) error {
	described := []keeper.RotationDocument{}
	rows := [][]string{{"ALG", "SIGNS NOW", "RETIRED", "UNTIL", "NEXT"}}
	for _, r := range done {
		d := keeper.DescribeRotation(r)
		described = append(described, d)
		rows = append(rows, []string{r.Line, r.Active, r.Retired, p.formatRelative(d.RetiredUntil), r.Next})
	}
	p.Say("servers follow within a second; existing tokens stay valid")
	p.sayReadiness(known)
	if asJSON {
		return p.WriteJSON(struct {
			Rotated   []keeper.RotationDocument `json:"rotated"`
			Readiness *readiness                `json:"readiness,omitempty"`
		}{described, known})
	}
	return p.WriteTable(rows)
}
