package storagetest

import (
	"context"

	"signet/storage"
)

// NewClient returns a client that a test can store: one that signs people in with codes and
// refresh tokens, or a service that gets tokens for itself. Package directory sets the defaults
// of real clients.
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

// ReplaceClient replaces the stored client with the ID of c by c. ID, secrets, creation time and
// DisabledAt stay the same.
func ReplaceClient(ctx context.Context, db *storage.DB, c storage.Client, by storage.By) error {
	_, err := db.ReviseClient(ctx, c.ID, func(stored *storage.Client) error {
		*stored = c
		return nil
	}, by)
	return err
}
