package storage

import (
	"context"
	"fmt"
	"reflect"

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
	return db.reviseClientTo(ctx, id, keepsState, revise, by)
}

// ReviseClientState is ReviseClient for a change that enables or disables the client too. It records
// client.enabled or client.disabled if that changes, and client.updated if anything else does.
func (db *DB) ReviseClientState(ctx context.Context, id string, enabled bool, revise func(*Client) error, by By) (Client, error) {
	state := disables
	if enabled {
		state = enables
	}
	return db.reviseClientTo(ctx, id, state, revise, by)
}

// stateChange is the effect of a revision on the state of a client.
type stateChange int

const (
	keepsState stateChange = iota
	enables
	disables
)

func (db *DB) reviseClientTo(ctx context.Context, id string, state stateChange, revise func(*Client) error, by By) (Client, error) {
	if err := refuseImpossible(id); err != nil {
		return Client{}, fmt.Errorf("revise client: %w", err)
	}
	var revised Client
	err := db.write(ctx, "revise client", func(tx *gorm.DB) (err error) {
		revised, err = db.reviseClient(tx, id, state, revise, by)
		return err
	})
	if err != nil {
		return Client{}, err
	}
	return revised, nil
}

// reviseClient is ReviseClient or ReviseClientState in the caller's transaction.
func (db *DB) reviseClient(tx *gorm.DB, id string, state stateChange, revise func(*Client) error, by By) (Client, error) {
	have, err := db.checkedClient(tx, id, nil)
	if err != nil {
		return Client{}, err
	}
	want := have
	if err := revise(&want); err != nil {
		return Client{}, fmt.Errorf("%w: %w", errCheckFailed, err)
	}
	digest := want.MetadataDigest
	want.ID, want.Secrets, want.DisabledAt, want.CreatedAt = have.ID, have.Secrets, have.DisabledAt, have.CreatedAt
	want.Registration, want.UpdatedAt = have.Registration, At(by.At)
	want.MetadataDigest = digest
	if want.AllowsAuthMethod(AuthPrivateKey) {
		want.Secrets = [2]ClientSecret{}
	}
	var events []EventType
	if state == keepsState || !want.SameExceptState(have) {
		events = append(events, ClientUpdated)
	}
	switch {
	case state == enables && !have.Enabled():
		want.DisabledAt = 0
		events = append(events, ClientEnabled)
	case state == disables && have.Enabled():
		want.DisabledAt = At(by.At)
		events = append(events, ClientDisabled)
	}
	if len(events) == 0 {
		return have, nil
	}
	return want, replaceClient(tx, have, want, events, by)
}

// SameExceptState reports whether the clients differ at most in being disabled, and in the time of
// the last change.
func (c Client) SameExceptState(other Client) bool {
	c.DisabledAt, c.UpdatedAt = other.DisabledAt, other.UpdatedAt
	return reflect.DeepEqual(c, other)
}
