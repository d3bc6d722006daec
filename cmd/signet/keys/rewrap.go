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
		Short: "Replace the master key that encrypts the private keys",
		Long: `Replace the master key that encrypts the private keys. The signing keys and all tokens
stay valid. Servers can run meanwhile. If the command was interrupted, run it again.

If the master key is the file ` + node.MasterKeyFile + ` in data_dir, the command replaces the file. It
keeps the old file as ` + node.FormerMasterFile + `, which older backups need. Copy the new file to
nodes that have their own data_dir.

If the setting master_key is set, first set master_key_next on every node and restart
the nodes. Then run this command. Then move the new key to master_key.`,
		Args: cli.ExactArgs(),
	}
	asJSON := cli.JSONFlag(c)
	p.WithDatabase(c, func(ctx context.Context, settings config.Config, db *storage.DB, _ []string) error {
		done, unopened, err := p.rewrap(ctx, settings, db)
		if err != nil {
			return WithExitCode(err)
		}
		for _, kid := range unopened {
			p.Say("key %s cannot be decrypted with either master key, so it was not changed", kid)
		}
		if *asJSON {
			return p.WriteJSON(map[string]any{"rewrapped": done, "unopened": append([]string{}, unopened...)})
		}
		return p.WriteTable([][]string{{"rewrapped", fmt.Sprint(done)}, {"not changed", fmt.Sprint(len(unopened))}})
	})
	return c
}

func (p commands) rewrap(ctx context.Context, c config.Config, db *storage.DB) (done int, unopened []string, err error) {
	rows, err := db.Keys(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return 0, nil, exit.New(exit.NotFound, errors.New("there are no keys yet"), "start the server once, which creates them: signet serve")
	}
	inFile := c.Master.Key.Reveal() == "" && c.Master.Next.Reveal() == ""
	if inFile {
		if err := makeNextMasterFile(ctx, c, db); err != nil {
			return 0, nil, err
		}
	}
	keys, err := OpenKeeper(ctx, c, db)
	if err != nil {
		return 0, nil, err
	}
	done, unopened, err = keys.Rewrap(ctx, storage.By{From: cli.Origin(), At: p.Now()})
	if errors.Is(err, keeper.ErrNoNewMasterKey) {
		return 0, nil, exit.New(
			exit.MasterKeyMissing, errors.New("the setting master_key is set, so master_key_next must be set too"),
			"set SIGNET_MASTER_KEY_NEXT (openssl rand -base64 32) here and on every node, restart the nodes, then run this command again",
		)
	}
	if err != nil {
		return 0, nil, err
	}
	if !inFile {
		p.Say("the private keys are encrypted with master_key_next; now set master_key to this value on every node, remove master_key_next and restart the nodes")
		return done, unopened, nil
	}
	if err := replaceMasterFile(c); err != nil {
		return 0, nil, err
	}
	p.Say("the new master key is in %s: back it up separately from the database", dataFile(c, node.MasterKeyFile))
	p.Say("the old master key is in %s: older backups need it; delete it together with the last of them", dataFile(c, node.FormerMasterFile))
	return done, unopened, nil
}

// makeNextMasterFile creates the file of the next master key, unless an interrupted rewrap has
// left one. It first checks that the present master key decrypts the keys.
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
	_, err = node.StorePrivate(name, node.NewMasterKey())
	return err
}

// replaceMasterFile replaces the master key file with the next one, and keeps the old file.
func replaceMasterFile(c config.Config) error {
	current, former := dataFile(c, node.MasterKeyFile), dataFile(c, node.FormerMasterFile)
	if err := os.Remove(former); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replace the master key: %w", err)
	}
	if err := os.Link(current, former); err != nil {
		return fmt.Errorf("keep the old master key: %w", err)
	}
	if err := os.Rename(dataFile(c, node.NextMasterFile), current); err != nil {
		return fmt.Errorf("replace the master key: %w", err)
	}
	return node.SyncFolder(strings.TrimSuffix(current, node.MasterKeyFile))
}
