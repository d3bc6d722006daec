package directory

import (
	"context"
	"fmt"
	"slices"

	"signet/provider/keys"
	"signet/storage"
)

// NoKeyError: a client requests ID tokens with an algorithm for which the server has no
// active key. The server could not issue them.
type NoKeyError struct{ Algorithm string }

// Error names the algorithm.
func (e *NoKeyError) Error() string { return "no key signs with " + e.Algorithm }

// NewClient returns a client of this type with the defaults of the type. It has no redirect
// URIs and no secret yet. A web client or a service may send its secret in both ways, see
// storage.Client.AllowsAuthMethod.
func NewClient(t storage.ClientType, id, name string) storage.Client {
	c := storage.Client{ID: id, Name: name, Type: t, RefreshGrace: -1}
	m := &c.Metadata
	if t == storage.SPA || t == storage.Native {
		m.TokenEndpointAuthMethod = storage.AuthNone
	}
	for _, g := range storage.GrantTypes() {
		if slices.Contains(g.ByDefault, t) {
			m.GrantTypes = append(m.GrantTypes, g.Name)
		}
	}
	if slices.Contains(m.GrantTypes, storage.GrantCode) {
		m.ResponseTypes = []string{storage.ResponseTypeCode}
	}
	return c
}

// NewClientID makes a client_id of 128 random bits. It never begins with a hyphen, which a
// command line would parse as a flag.
func NewClientID() string {
	for {
		if id := randomText(16); id[0] != '-' {
			return id
		}
	}
}

// CreateClient registers a client. It returns the client as stored and a new secret, ""
// for a client without a secret. Only the hash of the secret is stored. A client with AdminAPI and
// no scope gets the one that only reads. Event client.created.
//
// Errors: *ClientError, *NoKeyError. storage.ErrConflict: the id is taken.
// storage.ErrSubjectTaken: it is the subject of a user.
func (d *Directory) CreateClient(ctx context.Context, c storage.Client, from storage.Origin) (made storage.Client, secret string, err error) {
	if c.HasSecret() {
		secret = NewSecret()
	}
	made, err = d.CreateClientWithSecret(ctx, c, secret, from)
	return made, secret, err
}

// CreateClientWithSecret is CreateClient with a secret from an earlier call of NewSecret, ""
// for a client without a secret.
func (d *Directory) CreateClientWithSecret(ctx context.Context, c storage.Client, secret string, from storage.Origin) (storage.Client, error) {
	if err := d.checkSigningKeys(ctx, c.ChosenAlgs()); err != nil {
		return storage.Client{}, err
	}
	removeRepeatedClientValues(&c)
	if c.AdminAPI && c.Metadata.Scope == "" {
		c.Metadata.Scope = storage.ScopeAdminRead
	}
	by := d.by(from)
	if secret != "" {
		c.Secrets[0] = storage.ClientSecret{Hash: storage.SecretHash(secret), CreatedAt: storage.At(by.At)}
	}
	if err := CheckClient(c); err != nil {
		return storage.Client{}, err
	}
	if err := d.checkSettings(storage.Client{}, c); err != nil {
		return storage.Client{}, err
	}
	sector, err := d.fetchSector(ctx, storage.Client{}, c)
	if err != nil {
		return storage.Client{}, err
	}
	if err := sector.setSector(storage.Client{}, &c); err != nil {
		return storage.Client{}, err
	}
	if err := d.db.CreateClient(ctx, c, by); err != nil {
		return storage.Client{}, fmt.Errorf("create client %s: %w", c.ID, err)
	}
	made, err := d.db.Client(ctx, c.ID)
	if err != nil {
		return storage.Client{}, fmt.Errorf("read the new client: %w", err)
	}
	return made, nil
}

// ReviseClient reads a client, changes it with revise and stores it. revise may run several
// times. If it returns an error, nothing is stored and the error is returned unchanged. The
// id, the creation time and the disabled state do not change. The secrets are deleted if the
// client now authenticates with a key of its own. A stored value that breaks a newer rule may
// stay. Event client.updated.
//
// Errors: *ClientError, *NoKeyError, storage.ErrNotFound. storage.ErrConflict: another change of
// the client came first.
func (d *Directory) ReviseClient(ctx context.Context, id string, revise func(*storage.Client) error, from storage.Origin) (storage.Client, error) {
	return d.reviseClient(ctx, id, revise, d.db.ReviseClient, from)
}

// ReviseClientState is ReviseClient for a change that enables or disables the client too. Events
// client.updated, client.enabled, client.disabled, for each thing that changes.
func (d *Directory) ReviseClientState(ctx context.Context, id string, enabled bool, revise func(*storage.Client) error, from storage.Origin) (storage.Client, error) {
	if enabled {
		if err := d.checkCanEnable(ctx, id, revise); err != nil {
			return storage.Client{}, err
		}
	}
	return d.reviseClient(ctx, id, revise, func(ctx context.Context, id string, revise func(*storage.Client) error, by storage.By) (storage.Client, error) {
		return d.db.ReviseClientState(ctx, id, enabled, revise, by)
	}, from)
}

// checkCanEnable checks that the server has keys for all algorithms of a disabled client: they may have
// been retired since.
func (d *Directory) checkCanEnable(ctx context.Context, id string, revise func(*storage.Client) error) error {
	c, err := d.db.Client(ctx, id)
	if err != nil || c.Enabled() {
		return err
	}
	if err := revise(&c); err != nil {
		return err
	}
	return d.checkSigningKeys(ctx, c.ChosenAlgs())
}

// storeRevision stores a revision: ReviseClient of storage or the like.
type storeRevision func(ctx context.Context, id string, revise func(*storage.Client) error, by storage.By) (storage.Client, error)

func (d *Directory) reviseClient(ctx context.Context, id string, revise func(*storage.Client) error, store storeRevision, from storage.Origin) (storage.Client, error) {
	sector, err := d.prepareRevision(ctx, id, revise)
	if err != nil {
		return storage.Client{}, err
	}
	var refused error
	revised, err := store(ctx, id, func(c *storage.Client) error {
		before := *c
		if refused = revise(c); refused == nil {
			if !c.SameExceptState(before) {
				c.MetadataDigest = "" // a program that registers the former metadata again must not get this client
			}
			removeRepeatedClientValues(c)
			refused = CheckClientChange(before, *c)
		}
		if refused == nil {
			refused = d.checkSettings(before, *c)
		}
		if refused == nil {
			refused = sector.setSector(before, c)
		}
		return refused
	}, d.by(from))
	if refused != nil {
		return storage.Client{}, refused
	}
	return revised, err
}

// prepareRevision does what does not belong in the transaction: it checks a new algorithm, since
// that reads the keys, and fetches the document of the sector.
func (d *Directory) prepareRevision(ctx context.Context, id string, revise func(*storage.Client) error) (sectorDocument, error) {
	before, err := d.db.Client(ctx, id)
	if err != nil {
		return sectorDocument{}, err
	}
	after := before
	if err := revise(&after); err != nil {
		return sectorDocument{}, err
	}
	removeRepeatedClientValues(&after)
	if err := CheckClientChange(before, after); err != nil {
		return sectorDocument{}, err // before a call to an address that is not valid
	}
	chosen := slices.DeleteFunc(after.ChosenAlgs(), func(alg string) bool { return slices.Contains(before.ChosenAlgs(), alg) })
	if err := d.checkSigningKeys(ctx, chosen); err != nil {
		return sectorDocument{}, err
	}
	return d.fetchSector(ctx, before, after)
}

func (d *Directory) checkSigningKeys(ctx context.Context, algs []string) error {
	for _, alg := range algs {
		if err := d.checkSigningKey(ctx, alg); err != nil {
			return err
		}
	}
	return nil
}

// checkSigningKey checks that the server has an active key for the algorithm. It accepts
// unknown algorithms, which CheckClient refuses.
func (d *Directory) checkSigningKey(ctx context.Context, alg string) error {
	if !slices.Contains(keys.SigningAlgorithms(), alg) {
		return nil
	}
	rows, err := d.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 && slices.Contains(d.algorithms, alg) { // the first start makes these keys
		return nil
	}
	if slices.ContainsFunc(rows, func(k storage.Key) bool { return k.Line == alg && k.State == storage.KeyActive }) {
		return nil
	}
	return &NoKeyError{alg}
}

// DisableClient disables a client. Until it is enabled again, sign-ins to it and its tokens
// are refused. Event client.disabled. Errors: storage.ErrNotFound.
func (d *Directory) DisableClient(ctx context.Context, id string, from storage.Origin) error {
	return d.db.SetClientEnabled(ctx, id, false, d.by(from))
}

// EnableClient enables a disabled client. Event client.enabled.
//
// Errors: storage.ErrNotFound. *NoKeyError: an algorithm of the client was retired while it was
// disabled.
func (d *Directory) EnableClient(ctx context.Context, id string, from storage.Origin) error {
	c, err := d.db.Client(ctx, id)
	if err != nil {
		return err
	}
	if !c.Enabled() {
		if err := d.checkSigningKeys(ctx, c.ChosenAlgs()); err != nil {
			return err
		}
	}
	return d.db.SetClientEnabled(ctx, id, true, d.by(from))
}

// DeleteClient deletes a client permanently, with its tokens and consents. Event
// client.deleted. Errors: storage.ErrNotFound.
func (d *Directory) DeleteClient(ctx context.Context, id string, from storage.Origin, checks ...storage.ClientCheck) error {
	return d.db.DeleteClient(ctx, id, d.by(from), checks...)
}
