package storagetest

import (
	"context"

	"signet/storage"
)

// NewClient gives a client that a test can store: one that signs people in with codes and
// refresh tokens, or a service that gets tokens of its own. The defaults that real clients
// have are the business of package directory.
func NewClient(t storage.ClientType, id, name string) storage.Client {
	c := storage.Client{ID: id, Name: name, Type: t, RefreshGrace: -1}
	c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantCode, storage.GrantRefresh}, []string{"code"}
	switch t {
	case storage.SPA, storage.Native:
		c.Metadata.TokenEndpointAuthMethod = storage.AuthNone
	case storage.Service:
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantClientCredentials}, nil
	}
	return c
}

// ReplaceClient makes of the stored client of that id the one that is given, whatever it
// was; id, secrets, creation time and whether it is disabled stay.
func ReplaceClient(ctx context.Context, db *storage.DB, c storage.Client, by storage.By) error {
	_, err := db.ReviseClient(ctx, c.ID, func(stored *storage.Client) error {
		*stored = c
		return nil
	}, by)
	return err
}
