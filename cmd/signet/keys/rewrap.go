package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/provider/keys/keeper"
	"signet/storage"
)

func (p commands) rewrapCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rewrap",
		Short: "Replace the master key that seals the private keys",
		Long: `Replace the master key that seals the private keys. The keys themselves stay, and so
does everything they have signed. It works beside running servers, and can be run
again when it was interrupted.

With ` + node.MasterKeyFile + ` in data_dir a new one is made and takes its place; the former one is
kept as ` + node.FormerMasterFile + `, for backups from before. Nodes with a data_dir of their own
need a copy of the new file.

Where master_key is set, set master_key_next on every node first and restart them,
then rewrap, then let it take the place of master_key.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		done, unopened, err := p.rewrap(ctx, settings, db)
		if err != nil {
			return WithExitCode(err)
		}
		for _, kid := range unopened {
			p.Say("key %s opens with neither master key and was left as it is", kid)
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"rewrapped": done, "unopened": append([]string{}, unopened...)})
		}
		return p.WriteTable([][]string{{"rewrapped", fmt.Sprint(done)}, {"left as they are", fmt.Sprint(len(unopened))}})
	})
	return c
}

func (p commands) rewrap(ctx context.Context, c config.Config, db *storage.DB) (done int, unopened []string, err error) {
	rows, err := db.Keys(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return 0, nil, exit.New(exit.NotFound, errors.New("there are no keys yet"), "start the server once: signet serve")
	}
	byFile := c.Master.Key.Reveal() == "" && c.Master.Next.Reveal() == ""
	if byFile {
		if err := makeNextMasterFile(ctx, c, db); err != nil {
			return 0, nil, err
		}
	}
	keys, err := OpenKeeper(ctx, c, db)
	if err != nil {
		return 0, nil, err
	}
	done, unopened, err = keys.Rewrap(ctx, storage.By{From: cli.Origin(), At: p.Now()})
	if errors.Is(err, keeper.ErrOneMaster) {
		return 0, nil, exit.New(
			exit.MasterKeyMissing, errors.New("master_key is set, so the key to move to must be set too"),
			"set SIGNET_MASTER_KEY_NEXT (openssl rand -base64 32) here and on every node, restart them, then run this again",
		)
	}
	if err != nil {
		return 0, nil, err
	}
	if !byFile {
		p.Say("the private keys are sealed under master_key_next: now set master_key to it on every node, remove master_key_next and restart")
		return done, unopened, nil
	}
	if err := replaceMasterFile(c); err != nil {
		return 0, nil, err
	}
	p.Say("the new master key is in %s: back it up apart from the database", dataFile(c, node.MasterKeyFile))
	p.Say("the former one is in %s: backups from before need it; remove it with the last of them", dataFile(c, node.FormerMasterFile))
	return done, unopened, nil
}

// makeNextMasterFile makes the key to move to, unless one is there from a rewrap
// that was interrupted. The one in use must open the keys: it is about to be replaced.
func makeNextMasterFile(ctx context.Context, c config.Config, db *storage.DB) error {
	keys, err := OpenKeeper(ctx, c, db)
	if err != nil {
		return err
	}
	if _, _, err := keys.Public(ctx); err != nil {
		return err
	}
	name := dataFile(c, node.NextMasterFile)
	if _, err := os.Stat(name); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, err = node.KeepPrivate(name, node.NewMasterKey())
	return err
}

// replaceMasterFile lets the next master key take the place of the one in use.
func replaceMasterFile(c config.Config) error {
	current, former := dataFile(c, node.MasterKeyFile), dataFile(c, node.FormerMasterFile)
	if err := os.Remove(former); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace the master key: %w", err)
	}
	if err := os.Link(current, former); err != nil {
		return fmt.Errorf("keep the former master key: %w", err)
	}
	if err := os.Rename(dataFile(c, node.NextMasterFile), current); err != nil {
		return fmt.Errorf("replace the master key: %w", err)
	}
	return node.SyncFolder(strings.TrimSuffix(current, node.MasterKeyFile))
}
