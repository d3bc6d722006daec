package node

import (
	"context"
	"log/slog"
	"time"

	"signet/cmd/signet/config"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

// OpenDatabase opens what the settings name.
// log, if not nil, gets the statements that fail.
func OpenDatabase(ctx context.Context, c config.Config, log *slog.Logger) (*storage.DB, error) {
	if c.Database.Reveal() == "" {
		if err := MakeDataDir(c.DataDir); err != nil {
			return nil, err
		}
	}
	at := StorageConfig(c)
	at.Log = log
	return storage.Open(ctx, at)
}

// StorageConfig tells where the settings keep the data.
func StorageConfig(c config.Config) storage.Config {
	return storage.Config{DataDir: c.DataDir, Database: c.Database.Reveal()}
}

// Directory gives the rules of clients and users on that database.
func Directory(c config.Config, db *storage.DB, now func() time.Time) *directory.Directory {
	return directory.New(directory.Deps{
		DB: db, Algorithms: c.Algorithms, Now: now,
		Passwords: credential.New(credential.Config{DB: db, Params: c.Passwords, MinLength: c.PasswordLength, Issuer: c.Issuer, Now: now}),
	})
}
