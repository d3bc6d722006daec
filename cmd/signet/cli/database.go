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

// WithDatabase makes c run do on the database that the settings name, which must be there
// and up to date: see node.OpenExisting. It is safe beside a running server, which follows
// within a second.
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

// Origin is where the events of a command say they came from.
func Origin() storage.Origin { return storage.Origin{Actor: "cli"} }

// Directory gives the rules of clients and users on that database.
func (p *Program) Directory(settings config.Config, db *storage.DB) *directory.Directory {
	return node.Directory(settings, db, p.Now)
}

// ByAdministrator is the reason in the events of what a command ends.
const ByAdministrator = "by_administrator"
