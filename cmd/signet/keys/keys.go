package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/storage"
)

// commands holds the `signet keys` commands.
type commands struct{ *cli.Program }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (p commands) tableOfKeys(list []keeper.KeyDocument) [][]string {
	rows := [][]string{{"KID", "ALG", "STATE", "AGE", "SIGNS UNTIL", "IN JWKS UNTIL", "LAST SIGNED", "LAST TOKEN EXPIRES"}}
	for _, k := range list {
		signed := p.formatRelative(k.LastSignedAt)
		if k.State == string(storage.KeyActive) {
			signed = "now"
		}
		age := p.Now().Sub(k.CreatedAt).Truncate(time.Minute)
		rows = append(rows, []string{
			k.KeyID, k.Alg, k.State, formatAge(age),
			p.formatRelative(k.SignsUntil), p.formatRelative(k.InJWKSUntil), signed, p.formatRelative(k.LastTokenDiesAt),
		})
	}
	if slices.ContainsFunc(list, func(k keeper.KeyDocument) bool { return k.PrivateKey == keeper.InPKCS11 }) {
		rows[0] = append(rows[0], "PRIVATE KEY")
		for i, k := range list {
			rows[i+1] = append(rows[i+1], cmp.Or(k.PrivateKey, "–"))
		}
	}
	return rows
}

// formatRelative formats a time relative to now, such as "in 3d" or "5m ago".
func (p commands) formatRelative(t *time.Time) string {
	if t == nil {
		return "–"
	}
	d := t.Sub(p.Now())
	switch {
	case d >= time.Minute:
		return "in " + formatAge(d.Truncate(time.Minute))
	case d <= -time.Minute:
		return formatAge((-d).Truncate(time.Minute)) + " ago"
	}
	return "now"
}

// formatAge formats a duration. From one day on it shows only days.
func formatAge(d time.Duration) string {
	if d >= 24*time.Hour {
		d = d.Truncate(24 * time.Hour)
	}
	if d < time.Minute {
		return "new"
	}
	return foreign.FormatDuration(d)
}

// withKeeper makes c run do with a keeper of the keys in the database. A database without keys
// is exit.NotFound.
func (p commands) withKeeper(c *cobra.Command, do func(ctx context.Context, settings config.Config, db *storage.DB, keys *keeper.Keeper, args []string) error) {
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error {
		rows, err := db.Keys(ctx)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		if len(rows) == 0 {
			return exit.New(exit.NotFound, errors.New("there are no keys yet"), "start the server once, which creates them: signet serve")
		}
		keys, err := OpenKeeper(ctx, settings, db)
		if err != nil {
			return err
		}
		return WithExitCode(do(ctx, settings, db, keys, args))
	})
}

// OpenKeeper returns a keeper of the keys in db. The master key and the PKCS #11 module are
// those of the settings.
func OpenKeeper(ctx context.Context, c config.Config, db *storage.DB) (*keeper.Keeper, error) {
	sealed, err := node.VaultConfig(ctx, c, db)
	if err != nil {
		return nil, err
	}
	opened, err := vault.New(sealed)
	if err != nil {
		return nil, err
	}
	return keeper.New(keeper.Config{DB: db, Vault: opened, Algorithms: c.Algorithms, Life: c.Lifetimes.KeyLife(c.Keys)})
}

// WithExitCode returns err with the exit code and the next step of a key command.
func WithExitCode(err error) error {
	var early *keeper.NextKeyTooNewError
	var crowded *keeper.TooManyRetiredError
	var known *exit.Problem
	switch {
	case errors.As(err, &crowded):
		return exit.New(
			exit.TooManyKeys,
			fmt.Errorf("%w: it is possible from %s on", crowded, cli.FormatTime(crowded.Until)),
			"",
		)
	case errors.As(err, &known):
		return err
	case errors.As(err, &early):
		return exit.New(
			exit.NextKeyTooYoung,
			fmt.Errorf("%w: it was published at %s and may sign from %s on", early, cli.FormatTime(early.Since), cli.FormatTime(early.MaySignFrom)),
			"",
		)
	case errors.Is(err, vault.ErrModule):
		return err
	case errors.Is(err, keys.ErrNoKey):
		return exit.New(exit.UnknownKey, err, "")
	case errors.Is(err, keeper.ErrAlreadyRevoked), errors.Is(err, storage.ErrConflict):
		return exit.New(exit.Conflict, errors.New("another rotation, revocation or rewrap came first; nothing was changed"), "list the keys with: signet keys list")
	}
	return err
}

// findKey returns the key with this kid, or with a kid that begins with it. Several matches are
// exit.AmbiguousName, none is exit.NotFound.
func findKey(rows []storage.Key, name string) (storage.Key, error) {
	const shortest = 4
	var found []storage.Key
	for _, k := range rows {
		if k.ID == name {
			return k, nil
		}
		if len(name) >= shortest && strings.HasPrefix(k.ID, name) {
			found = append(found, k)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		return storage.Key{}, exit.New(exit.AmbiguousName, fmt.Errorf("%d keys begin with %q", len(found), name), "use more characters of the kid; list the keys with: signet keys list")
	}
	return storage.Key{}, exit.New(exit.NotFound, fmt.Errorf("there is no key %q", name), "list the keys with: signet keys list --all")
}

func dataFile(c config.Config, name string) string { return filepath.Join(c.DataDir, name) }
