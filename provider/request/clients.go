package request

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"signet/provider/web"
	"signet/storage"
)

// Clients holds the registered clients in memory. Its owner calls Reload when
// the database's change counter moved.
type Clients struct {
	db  *storage.DB
	all atomic.Pointer[clientSet]
}

type clientSet struct {
	byID       map[string]storage.Client
	origins    map[string]bool             // of all enabled clients
	firstParty []storage.Client            // enabled
	goodbyes   map[string][]storage.Client // enabled ones by each address that they have registered for after a sign-out
}

// NewClients loads all clients.
func NewClients(ctx context.Context, db *storage.DB) (*Clients, error) {
	c := &Clients{db: db}
	return c, c.Reload(ctx)
}

// Reload reads all clients again; what is there stays if that fails.
func (c *Clients) Reload(ctx context.Context) error {
	list, err := c.db.Clients(ctx)
	if err != nil {
		return fmt.Errorf("read clients: %w", err)
	}
	set := &clientSet{byID: make(map[string]storage.Client, len(list)), origins: map[string]bool{}, goodbyes: map[string][]storage.Client{}}
	for _, client := range list {
		set.byID[client.ID] = client
		if client.Enabled() {
			if client.FirstParty {
				set.firstParty = append(set.firstParty, client)
			}
			for _, uri := range slices.Compact(slices.Sorted(slices.Values(client.Metadata.PostLogoutRedirectURIs))) {
				set.goodbyes[uri] = append(set.goodbyes[uri], client)
			}
			for _, origin := range client.AllOrigins() {
				set.origins[origin] = true
			}
		}
	}
	c.all.Store(set)
	return nil
}

// Enabled gives an enabled client. One that this node has not heard of yet is
// looked up, so that a client can be used the moment it was created.
//
// storage.ErrNotFound: unknown or, as ErrDisabled, disabled.
func (c *Clients) Enabled(ctx context.Context, id string) (storage.Client, error) {
	client, ok := c.all.Load().byID[id]
	if !ok {
		var err error
		if client, err = c.db.Client(ctx, id); err != nil {
			return storage.Client{}, err
		}
	}
	if !client.Enabled() {
		return storage.Client{}, ErrDisabled
	}
	return client, nil
}

// ErrDisabled is storage.ErrNotFound for a client that is there and disabled.
var ErrDisabled = web.Because("client_disabled", fmt.Errorf("the client is disabled: %w", storage.ErrNotFound))

// Why there is no first-party client. The texts are shown to its developer.
var (
	ErrNoFirstParty      = web.Because("first_party_not_configured", errors.New("no first-party client is enabled: create one with --first-party"))
	ErrSeveralFirstParty = web.Because("first_party_not_configured", errors.New("several clients are first-party: set first_party.client_id to one of them"))
	ErrNotFirstParty     = web.Because("first_party_not_configured", errors.New("first_party.client_id names no enabled first-party client: create it with --first-party, or enable it"))
)

// FirstParty gives the enabled first-party client of that id; for "", the only one
// there is. One of the errors above.
func (c *Clients) FirstParty(id string) (storage.Client, error) {
	list := c.all.Load().firstParty
	if id == "" {
		switch len(list) {
		case 0:
			return storage.Client{}, ErrNoFirstParty
		case 1:
			return list[0], nil
		}
		return storage.Client{}, ErrSeveralFirstParty
	}
	for _, client := range list {
		if client.ID == id {
			return client, nil
		}
	}
	return storage.Client{}, ErrNotFirstParty
}

// OfPostLogoutRedirect gives the enabled client that alone has registered uri as it
// stands to go to after a sign-out; false if none has, or several have. The free port of
// a native client counts only where the client is named.
func (c *Clients) OfPostLogoutRedirect(uri string) (storage.Client, bool) {
	list := c.all.Load().goodbyes[uri]
	if len(list) != 1 {
		return storage.Client{}, false
	}
	return list[0], true
}

// KnowsOrigin reports whether any enabled client lives at that web origin.
func (c *Clients) KnowsOrigin(origin string) bool { return c.all.Load().origins[origin] }

// AllowsOrigin reports whether this client does.
func AllowsOrigin(client storage.Client, origin string) bool {
	return slices.Contains(client.AllOrigins(), origin)
}
