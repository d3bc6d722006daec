package directory

import (
	"context"
	"fmt"
	"slices"

	"signet/provider/keys"
	"signet/storage"
)

// NoKeyError: a client asks for ID tokens that no key can sign. It would get none.
type NoKeyError struct{ Algorithm string }

// Error names the algorithm.
func (e *NoKeyError) Error() string { return "no key signs with " + e.Algorithm }

// NewClient gives a client of that type with the type's defaults. It has neither
// redirect URIs nor a secret yet. How a web client or a service sends its secret is
// not chosen: either way is accepted, see storage.Client.AllowsAuthMethod.
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
		m.ResponseTypes = []string{"code"}
	}
	return c
}

// NewClientID makes a client_id of 128 random bits. None begins with a hyphen: a command
// line would take it for a flag.
func NewClientID() string {
	for {
		if id := randomText(16); id[0] != '-' {
			return id
		}
	}
}

// CreateClient registers a client, and makes a secret for one that authenticates ("" for
// a public client). Only the secret's hash is stored. It gives the client as stored.
// Event client.created.
//
// *ClientError, *NoKeyError. storage.ErrConflict: the id is taken.
func (d *Directory) CreateClient(ctx context.Context, c storage.Client, from storage.Origin) (made storage.Client, secret string, err error) {
	if !c.Public() {
		secret = NewSecret()
	}
	made, err = d.CreateClientWithSecret(ctx, c, secret, from)
	return made, secret, err
}

// CreateClientWithSecret is CreateClient for a secret that was made before, by NewSecret;
// "" for a public client.
func (d *Directory) CreateClientWithSecret(ctx context.Context, c storage.Client, secret string, from storage.Origin) (storage.Client, error) {
	if err := d.checkSigned(ctx, c.Metadata.IDTokenSignedResponseAlg); err != nil {
		return storage.Client{}, err
	}
	onceEach(&c)
	by := d.by(from)
	if secret != "" {
		c.Secrets[0] = storage.ClientSecret{Hash: storage.SecretHash(secret), CreatedAt: storage.At(by.At)}
	}
	if err := CheckClient(c); err != nil {
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

// ReviseClient changes a client as it is now. revise writes into the client that it is
// given. It may run several times; its error undoes all, and is returned as it is. Id,
// secrets, creation time and whether the client is disabled stay as they are. A value
// that breaks a rule may stay if it was stored before the rule. Event client.updated.
//
// *ClientError, *NoKeyError, storage.ErrNotFound.
func (d *Directory) ReviseClient(ctx context.Context, id string, revise func(*storage.Client) error, from storage.Origin) (storage.Client, error) {
	if err := d.checkRevisedAlg(ctx, id, revise); err != nil {
		return storage.Client{}, err
	}
	var refused error
	revised, err := d.db.ReviseClient(ctx, id, func(c *storage.Client) error {
		before := *c
		if refused = revise(c); refused == nil {
			onceEach(c)
			refused = CheckClientChange(before, *c)
		}
		return refused
	}, d.by(from))
	if refused != nil {
		return storage.Client{}, refused
	}
	return revised, err
}

// checkRevisedAlg checks a new algorithm outside the transaction, since it reads the keys.
func (d *Directory) checkRevisedAlg(ctx context.Context, id string, revise func(*storage.Client) error) error {
	before, err := d.db.Client(ctx, id)
	if err != nil {
		return err
	}
	after := before
	if err := revise(&after); err != nil {
		return err
	}
	if after.Metadata.IDTokenSignedResponseAlg == before.Metadata.IDTokenSignedResponseAlg {
		return nil
	}
	return d.checkSigned(ctx, after.Metadata.IDTokenSignedResponseAlg)
}

// checkSigned checks that some key signs with the algorithm. It leaves a name that is no
// algorithm of ours to CheckClient.
func (d *Directory) checkSigned(ctx context.Context, alg string) error {
	if !slices.Contains(keys.SigningAlgorithms(), alg) {
		return nil
	}
	rows, err := d.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 && slices.Contains(d.algorithms, alg) { // the first start makes them
		return nil
	}
	if slices.ContainsFunc(rows, func(k storage.Key) bool { return k.Line == alg && k.State == storage.KeyActive }) {
		return nil
	}
	return &NoKeyError{alg}
}

// DisableClient stops a client: nobody signs in through it, and its tokens are of no use
// until it is enabled. Event client.disabled. storage.ErrNotFound.
func (d *Directory) DisableClient(ctx context.Context, id string, from storage.Origin) error {
	return d.db.SetClientEnabled(ctx, id, false, d.by(from))
}

// EnableClient undoes DisableClient. Event client.enabled. storage.ErrNotFound.
func (d *Directory) EnableClient(ctx context.Context, id string, from storage.Origin) error {
	return d.db.SetClientEnabled(ctx, id, true, d.by(from))
}

// DeleteClient removes a client for good, with its tokens and the consents it was given.
// Event client.deleted. storage.ErrNotFound.
func (d *Directory) DeleteClient(ctx context.Context, id string, from storage.Origin) error {
	return d.db.DeleteClient(ctx, id, d.by(from))
}
