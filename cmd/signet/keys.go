package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signet/storage"
)

func (p *program) keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Look at the signing keys"}
	asNoun(c)
	c.AddCommand(p.keysListCommand())
	return c
}

func (p *program) keysListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the signing keys", Args: exactly()}
	asJSON := jsonFlag(c)
	p.withDatabase(c, func(ctx context.Context, _ Config, db *storage.DB, _ []string) error {
		keys, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		if *asJSON {
			return p.writeJSON(map[string]any{"keys": describeKeys(keys)})
		}
		if len(keys) == 0 {
			p.say("there are no keys yet: the first start makes them")
			return nil
		}
		rows := [][]string{{"KID", "ALG", "STATE", "AGE"}}
		for _, k := range keys {
			age := p.now().Sub(k.CreatedAt.Time()).Truncate(time.Minute)
			rows = append(rows, []string{k.ID, k.Line, string(k.State), shortAge(age)})
		}
		return p.writeTable(rows)
	})
	return c
}

// describedKey is a key as --json shows it. Nothing of its private half is in it.
type describedKey struct {
	KeyID       string     `json:"kid"`
	Alg         string     `json:"alg"`
	State       string     `json:"state"`
	CreatedAt   time.Time  `json:"created_at"`
	ActivatedAt *time.Time `json:"activated_at,omitempty"`
	RetiredAt   *time.Time `json:"retired_at,omitempty"`
	GoneAt      *time.Time `json:"gone_at,omitempty"`
	RevokedAt   *time.Time `json:"revoked_at,omitempty"`
}

func describeKeys(keys []storage.Key) []describedKey {
	described := []describedKey{} // never null
	for _, k := range keys {
		described = append(described, describedKey{
			KeyID: k.ID, Alg: k.Line, State: string(k.State), CreatedAt: k.CreatedAt.Time(),
			ActivatedAt: moment(k.ActivatedAt), RetiredAt: moment(k.RetiredAt), GoneAt: moment(k.GoneAt), RevokedAt: moment(k.RevokedAt),
		})
	}
	return described
}

// moment is nil for never, so that JSON leaves it out.
func moment(m storage.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	t := m.Time()
	return &t
}

// shortAge tells days alone once there are any.
func shortAge(d time.Duration) string {
	if d >= 24*time.Hour {
		d = d.Truncate(24 * time.Hour)
	}
	if d < time.Minute {
		return "new"
	}
	return shortDuration(d)
}
