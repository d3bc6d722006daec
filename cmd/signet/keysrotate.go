package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"signet/provider/keys"
	"signet/storage"
)

// soonest is how long a next key must have been published for --now: time enough
// for verifiers that read the JWKS again every ten minutes.
const soonest = 10 * time.Minute

func (p *program) keysRotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Let the next keys sign",
		Long: `Let the next keys sign. The keys that signed until now stay published until their last
token is dead, and new next keys are made. Servers follow within a second.

A next key must have been published for keys.publish_before (24h), so that every
relying party has seen it; --now asks for 10 minutes only, --force for nothing.
Without --alg every algorithm rotates, all or none; the secrets that are never
published rotate by --alg internal, and need a minute in any case.`,
		Args: exactly(),
	}
	alg := c.Flags().String("alg", "", "this algorithm alone, or internal")
	now := c.Flags().Bool("now", false, "a next key that is published for 10 minutes will do")
	force := c.Flags().Bool("force", false, "any next key will do: relying parties that have the keys cached may refuse tokens until they read them again")
	asJSON := jsonFlag(c)
	p.withKeeper(c, func(ctx context.Context, config Config, _ *storage.DB, keeper *keys.Keeper, _ []string) error {
		if *now && *force {
			return usage(c, errors.New("--now and --force exclude each other"))
		}
		wait := config.Keys.PublishBefore
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
		done, err := keeper.Rotate(ctx, lines, wait, fromCommandLine(), p.now())
		if err != nil {
			return err
		}
		return p.showRotated(done, *asJSON)
	})
	return c
}

type describedRotation struct {
	Alg          string     `json:"alg"`
	KeyID        string     `json:"kid"` // signs now
	Retired      string     `json:"retired,omitempty"`
	RetiredUntil *time.Time `json:"retired_until,omitempty"` // stays published until then
	Next         string     `json:"next"`
}

func (p *program) showRotated(done []keys.Rotated, asJSON bool) error {
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
	p.say("servers follow within a second; the tokens that live stay good")
	if asJSON {
		return p.writeJSON(map[string]any{"rotated": described})
	}
	return p.writeTable(rows)
}
