package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/provider/keys"
	"signet/storage"
)

func (p *program) keysRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a key out of use at once, when it has leaked",
		Long: `Take a key out of use at once, when it has leaked. Everything it has signed is refused
by all servers within a second, and its private half is destroyed. In place of an
active key the published next one signs from now on.

To replace a key that has not leaked: signet keys rotate.`,
		Args: exactly("the kid of a key, or its beginning"),
	}
	reason := c.Flags().String("reason", "", "why, for the audit log")
	yes := c.Flags().Bool("yes", false, "do not ask")
	asJSON := jsonFlag(c)
	p.withKeeper(c, func(ctx context.Context, config Config, db *storage.DB, keeper *keys.Keeper, args []string) error {
		rows, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		k, err := findKey(rows, args[0])
		if err != nil {
			return err
		}
		if k.State == storage.KeyRevoked {
			return &problem{exitConflict, fmt.Errorf("key %s is revoked since %s", k.ID, stamp(k.RevokedAt.Time())), "there is nothing left to do"}
		}
		if !*yes {
			if err := p.confirmRevocation(c, k); err != nil {
				return err
			}
		}
		at := p.now()
		done, err := keeper.Revoke(ctx, k.ID, *reason, fromCommandLine(), at)
		if err != nil {
			return err
		}
		return p.showRevoked(describeRevocation(done, *reason, config, at), *asJSON)
	})
	return c
}

// confirmRevocation names the damage and has the kid typed.
func (p *program) confirmRevocation(c *cobra.Command, k storage.Key) error {
	if !p.atTerminal() {
		return usage(c, errors.New("a key is not revoked without a word: --yes, or a terminal to ask at"))
	}
	fmt.Fprintf(p.stderr, "Revoking the %s %s key %s.\n%s\nType the kid, or its first 8 characters, to go on: ", k.State, k.Line, k.ID, keys.Damage(k))
	typed, _ := bufio.NewReader(p.stdin).ReadString('\n')
	typed = strings.TrimSpace(typed)
	if len(typed) < 8 || !strings.HasPrefix(k.ID, typed) {
		return &problem{exitDenied, errors.New("not confirmed; nothing was changed"), "type the kid as it is shown, or give --yes"}
	}
	return nil
}

// atTerminal reports whether there is somebody to ask.
func (p *program) atTerminal() bool { return isTerminal(p.stdin) }

// describedRevocation is what a revocation did, and what follows.
type describedRevocation struct {
	KeyID           string     `json:"kid"`
	Alg             string     `json:"alg"`
	State           string     `json:"state_before"`
	Reason          string     `json:"reason,omitempty"`
	SignsNow        string     `json:"signs_now,omitempty"`
	SignsNowSince   *time.Time `json:"signs_now_published_since,omitempty"`
	Unseen          bool       `json:"signs_now_unseen,omitempty"` // it was made just now: nobody can have seen it
	Made            []string   `json:"made,omitempty"`
	CachedUntil     *time.Time `json:"cached_until,omitempty"`       // by relying parties that follow Cache-Control
	LastTokenDiesAt *time.Time `json:"last_token_dies_at,omitempty"` // of those that were signed in good faith
}

func describeRevocation(r keys.Revoked, reason string, c Config, at time.Time) describedRevocation {
	d := describedRevocation{KeyID: r.Key.ID, Alg: r.Key.Line, State: string(r.Key.State), Reason: reason, Made: r.Made}
	if r.Successor != nil {
		since := r.Successor.CreatedAt.Time()
		d.SignsNow, d.SignsNowSince, d.Unseen = r.Successor.ID, &since, r.Unseen
	}
	if r.Key.Line == storage.InternalLine || r.Key.State == storage.KeyGone {
		return d
	}
	cached := at.Add(c.Keys.MaxAge).UTC()
	d.CachedUntil = &cached
	switch r.Key.State {
	case storage.KeyActive:
		dies := at.Add(r.Key.LongestLife).UTC()
		d.LastTokenDiesAt = &dies
	case storage.KeyRetired:
		d.LastTokenDiesAt = moment(r.Key.LastTokenDies())
	}
	return d
}

func (p *program) showRevoked(d describedRevocation, asJSON bool) error {
	p.say("the %s key %s is revoked: every server refuses it within a second", d.Alg, d.KeyID)
	if d.SignsNow != "" && d.Unseen {
		p.say("%s signs from now on; there was no next key, so relying parties see it only when they read the JWKS again", d.SignsNow)
	} else if d.SignsNow != "" {
		p.say("%s signs from now on; it has been published since %s", d.SignsNow, stamp(*d.SignsNowSince))
	}
	if d.CachedUntil != nil {
		p.say("relying parties and APIs that check tokens by themselves take those of the revoked key until they read the JWKS again: "+
			"by %s where Cache-Control is followed, elsewhere when they meet a token of the new key or are restarted", stamp(*d.CachedUntil))
	}
	if d.LastTokenDiesAt != nil {
		p.say("tokens signed in good faith have all expired by %s; whoever has the key can make others with any date", stamp(*d.LastTokenDiesAt))
	}
	if asJSON {
		return p.writeJSON(d)
	}
	since, cached := "", ""
	if d.SignsNowSince != nil {
		since = stamp(*d.SignsNowSince)
	}
	if d.CachedUntil != nil {
		cached = stamp(*d.CachedUntil)
	}
	return p.writeTable(filled([][]string{
		{"revoked", d.KeyID},
		{"alg", d.Alg},
		{"was", d.State},
		{"reason", d.Reason},
		{"signs now", d.SignsNow},
		{"published since", since},
		{"new keys", strings.Join(d.Made, " ")},
		{"cached until", cached},
	}))
}
