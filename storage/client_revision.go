package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ReviseClient changes a client by applying revise to its current row. Two callers that change
// different fields at the same time therefore keep each other's changes. revise may run twice;
// if it fails, its error is returned and nothing is changed. ID, creation time, DisabledAt and
// Registration, except its digest, stay the same. The secrets stay too, unless the client now
// authenticates with a key of its own: then they are deleted, so that they are not valid again
// after a later change. It increments the change counter. It records the event client.updated.
// ErrNotFound.
func (db *DB) ReviseClient(ctx context.Context, id string, revise func(*Client) error, by By) (Client, error) {
	if err := refuseImpossible(id); err != nil {
		return Client{}, fmt.Errorf("revise client: %w", err)
	}
	var revised Client
	err := db.write(ctx, "revise client", func(tx *gorm.DB) (err error) {
		revised, err = db.reviseClient(tx, id, revise, by)
		return err
	})
	if err != nil {
		return Client{}, err
	}
	return revised, nil
}

// reviseClient is ReviseClient in the caller's transaction.
func (db *DB) reviseClient(tx *gorm.DB, id string, revise func(*Client) error, by By) (Client, error) {
	if err := db.lockRow(tx, clientRow, id, forUpdate); err != nil {
		return Client{}, err
	}
	var have Client
	if err := tx.Where("id = ? AND "+isClient, id).Take(&have).Error; err != nil {
		return Client{}, err
	}
	want := have
	if err := revise(&want); err != nil {
		return Client{}, fmt.Errorf("%w: %w", errCheckFailed, err)
	}
	want.ID, want.Secrets, want.DisabledAt, want.CreatedAt, want.UpdatedAt = have.ID, have.Secrets, have.DisabledAt, have.CreatedAt, At(by.At)
	if want.AllowsAuthMethod(AuthPrivateKey) {
		want.Secrets = [2]ClientSecret{}
	}
	have.MetadataDigest = want.MetadataDigest
	want.Registration = have.Registration
	return want, replaceClient(tx, have, want, by)
}
