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

// soonest is how long a next key must have been published for --now: time enough
// for verifiers that read the JWKS again every ten minutes.
const soonest = 10 * time.Minute

func (p commands) rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Let the next keys sign",
		Long: `Let the next keys sign. The keys that signed until now stay published until their last
token is dead, and new next keys are made. Servers follow within a second.

A next key must have been published for keys.publish_before (24h), so that every
relying party has seen it; --now asks for 10 minutes only, --force for nothing.
Without --alg every algorithm rotates, all or none; the secrets that are never
published rotate by --alg internal, and need a minute in any case.

While more than eight retired keys of an algorithm are published, the command changes
nothing and says when it will be possible (exit code 6).`,
		Args: cli.ExactArgs(),
	}
	alg := c.Flags().String("alg", "", "this algorithm alone, or internal")
	now := c.Flags().Bool("now", false, "a next key that is published for 10 minutes will do")
	force := c.Flags().Bool("force", false, "any next key will do: relying parties that have the keys cached may refuse tokens until they read them again")
	asJSON := cli.JSONFlag(c)
	p.withKeeper(c, func(ctx context.Context, settings config.Config, db *storage.DB, keys *keeper.Keeper, _ []string) error {
		if *now && *force {
			return cli.UsageError(c, errors.New("--now and --force exclude each other"))
		}
		wait := settings.Keys.PublishBefore
		switch {
		case *now:
			wait = min(wait, soonest)
		case *force:
			wait = 0
		}
		var lines []string
		if *alg != "" {
			lines = []string{*alg}
		}
		readers, err := db.JWKSReaders(ctx)
		if err != nil {
			return fmt.Errorf("read who reads the JWKS: %w", err)
		}
		done, err := keys.Rotate(ctx, lines, wait, storage.By{From: cli.Origin(), At: p.Now()})
		if err != nil {
			return err
		}
		return p.showRotated(done, readersSince(readers, done), *asJSON)
	})
	return c
}

// readiness tells who has read the JWKS since the keys that sign now were published
// in it. It never says that all have: caches in between read for others, and who
// checks tokens without a name of its own is not told apart.
type readiness struct {
	Seen   []string        `json:"seen"`
	Unseen []unseenReaders `json:"unseen"` // came before, and not since
}

type unseenReaders struct {
	Family     string    `json:"family"`
	LastSeenAt time.Time `json:"last_seen_at"`
}

// readersSince judges by the youngest of the keys that were published.
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
		p.Say("unseen: %s last read the JWKS %s, before the keys that sign now were in it; it may refuse new tokens until it reads it again",
			r.Family, p.relative(&r.LastSeenAt))
	}
	if len(known.Seen) == 0 {
		p.Say("unseen: nobody has been noted to read the JWKS since these keys were published, so who knows them cannot be told")
	} else {
		p.Say("seen since these keys were published: %s", strings.Join(known.Seen, ", "))
	}
}

type describedRotation struct {
	Alg          string     `json:"alg"`
	KeyID        string     `json:"kid"` // signs now
	Retired      string     `json:"retired,omitempty"`
	RetiredUntil *time.Time `json:"retired_until,omitempty"` // stays published until then
	Next         string     `json:"next"`
}

func (p commands) showRotated(done []keeper.Rotated, known *readiness, asJSON bool) error {
	described := []describedRotation{}
	rows := [][]string{{"ALG", "SIGNS NOW", "RETIRED", "UNTIL", "NEXT"}}
	for _, r := range done {
		d := describedRotation{Alg: r.Line, KeyID: r.Active, Retired: r.Retired, Next: r.Next}
		if r.Retired != "" {
			until := r.Until.UTC()
			d.RetiredUntil = &until
		}
		described = append(described, d)
		rows = append(rows, []string{r.Line, r.Active, r.Retired, p.relative(d.RetiredUntil), r.Next})
	}
	p.Say("servers follow within a second; the tokens that live stay good")
	p.sayReadiness(known)
	if asJSON {
		return p.WriteJSON(struct {
			Rotated   []describedRotation `json:"rotated"`
			Readiness *readiness          `json:"readiness,omitempty"`
		}{described, known})
	}
	return p.WriteTable(rows)
}
