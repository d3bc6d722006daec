package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

// withDatabase makes c run do on the database that the settings name. It is safe
// beside a running server, which follows within a second.
func (p *program) withDatabase(c *cobra.Command, do func(ctx context.Context, config Config, db *storage.DB, args []string) error) {
	file := configFlags(c, "data_dir")
	c.RunE = func(c *cobra.Command, args []string) error {
		config, err := p.config(c, *file)
		if err != nil {
			return err
		}
		db, err := openDatabase(c.Context(), config, nil)
		if err != nil {
			return err
		}
		return errors.Join(do(c.Context(), config, db, args), db.Close())
	}
}

// fromCommandLine is where the events of a command say they came from.
func fromCommandLine() storage.Origin { return storage.Origin{Actor: "cli"} }

// directory gives the rules of clients and users on that database.
func (p *program) directory(c Config, db *storage.DB) *directory.Directory {
	return directory.New(directory.Deps{
		DB: db, Algorithms: c.Algorithms, Now: p.now,
		Passwords: credential.New(credential.Config{DB: db, Params: c.Passwords, Now: p.now}),
	})
}
