package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// WithDatabase makes c run do with the settings and their database. The database must exist
// and have the schema of this release: see node.OpenExisting. A server may run at the same
// time; it sees the changes within a second.
func (p *Program) WithDatabase(c *cobra.Command, do func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error) {
	file := SettingFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.Settings(c, *file)
		if err != nil {
			return err
		}
		db, err := node.OpenExisting(c.Context(), settings)
		if err != nil {
			return err
		}
		return errors.Join(do(c.Context(), settings, db, args), db.Close())
	}
}

// Origin is the origin that commands record in the audit events.
func Origin() storage.Origin { return storage.Origin{Actor: storage.ActorCLI} }

// Directory returns the directory of clients and users, with their rules, on db.
func (p *Program) Directory(settings config.Config, db *storage.DB) *directory.Directory {
	return node.Directory(settings, db, p.Now)
}

// ByAdministrator is the reason that is recorded for sessions and tokens that a command ends.
const ByAdministrator = "by_administrator"
