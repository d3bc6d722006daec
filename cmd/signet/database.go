package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// withDatabase makes c run do on the database that the settings name. It is safe
// beside a running server, which follows within a second.
func (p *program) withDatabase(c *cobra.Command, do func(ctx context.Context, settings config.Config, db *storage.DB, args []string) error) {
	file := settingFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		settings, err := p.settings(c, *file)
		if err != nil {
			return err
		}
		db, err := node.OpenDatabase(c.Context(), settings, nil)
		if err != nil {
			return err
		}
		return errors.Join(do(c.Context(), settings, db, args), db.Close())
	}
}

// fromCommandLine is where the events of a command say they came from.
func fromCommandLine() storage.Origin { return storage.Origin{Actor: "cli"} }

// directory gives the rules of clients and users on that database.
func (p *program) directory(settings config.Config, db *storage.DB) *directory.Directory {
	return node.Directory(settings, db, p.now)
}
