package request

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"signet/provider/web"
	"signet/storage"
)

// Clients holds the registered clients in memory. Its owner calls Reload after the change
// counter of the database has changed.
type Clients struct {
	db        *storage.DB
	all       atomic.Pointer[clientSet]
	reloading sync.Mutex // locked while Reload reads the clients and replaces the set
}

type clientSet struct {
	byID            map[string]storage.Client
	origins         map[string]bool             // of all enabled clients
	firstParty      []storage.Client            // enabled
	byPostLogoutURI map[string][]storage.Client // enabled, by each registered post_logout_redirect_uri
	frontchannel    bool                        // an enabled client has a frontchannel_logout_uri
	changed         sync.Map                    // ids of the clients that NoteChange named or that are new
}

// NewClients loads all clients.
func NewClients(ctx context.Context, db *storage.DB) (*Clients, error) {
	c := &Clients{db: db}
	return c, c.Reload(ctx)
}

// Reload reads all clients again. If that fails, the clients in memory stay.
func (c *Clients) Reload(ctx context.Context) error {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	list, err := c.db.Clients(ctx)
	if err != nil {
		return fmt.Errorf("read clients: %w", err)
	}
	set := &clientSet{byID: make(map[string]storage.Client, len(list)), origins: map[string]bool{}, byPostLogoutURI: map[string][]storage.Client{}}
	for _, client := range list {
		set.byID[client.ID] = client
		if client.Enabled() {
			if client.FirstParty {
				set.firstParty = append(set.firstParty, client)
			}
			if !client.IsUnapproved() { // it could register the URI of another client, so that none is the only one
				for _, uri := range slices.Compact(slices.Sorted(slices.Values(client.Metadata.PostLogoutRedirectURIs))) {
					set.byPostLogoutURI[uri] = append(set.byPostLogoutURI[uri], client)
				}
			}
			set.frontchannel = set.frontchannel || client.Metadata.FrontchannelLogoutURI != ""
			for _, origin := range client.AllOrigins() {
				set.origins[origin] = true
			}
		}
	}
	c.all.Store(set)
	return nil
}

// NoteChange makes Enabled look up this client in the database until the next Reload. Call it
// after this node has committed a change or the deletion of the client: the caller of the change
// may use it at once.
func (c *Clients) NoteChange(id string) {
	c.reloading.Lock() // a Reload that runs now may have read the client before the change
	defer c.reloading.Unlock()
	c.all.Load().changed.Store(id, true)
}

// Enabled returns an enabled client. It looks up clients that are not in memory in the
// database, so a new client works at once.
//
// storage.ErrNotFound: the client is unknown. ErrDisabled (which is also
// storage.ErrNotFound): the client is disabled.
func (c *Clients) Enabled(ctx context.Context, id string) (storage.Client, error) {
	set := c.all.Load()
	client, ok := set.byID[id]
	if _, changed := set.changed.Load(id); changed || !ok {
		var err error
		if client, err = c.db.Client(ctx, id); err != nil {
			return storage.Client{}, err
		}
		if !changed { // it is new, so HasFrontchannelLogout does not know it either
			set.changed.Store(id, true)
		}
	}
	if !client.Enabled() {
		return storage.Client{}, ErrDisabled
	}
	return client, nil
}

// ErrDisabled is storage.ErrNotFound for a client that exists but is disabled.
var ErrDisabled = web.Because("client_disabled", fmt.Errorf("the client is disabled: %w", storage.ErrNotFound))

// Reasons for a missing first-party client. Developers of the app see these texts.
var (
	ErrNoFirstParty      = web.Because("first_party_not_configured", errors.New("no first-party client is enabled: create one with --first-party"))
	ErrSeveralFirstParty = web.Because("first_party_not_configured", errors.New("several clients are first-party: set first_party.client_id to one of them"))
	ErrNotFirstParty     = web.Because("first_party_not_configured", errors.New("first_party.client_id names no enabled first-party client: create it with --first-party, or enable it"))
)

// FirstParty returns the enabled first-party client with this id. For "" it returns the
// only first-party client. Its errors are the three errors above.
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

// OfPostLogoutRedirect returns the only enabled client that has registered exactly this
// post_logout_redirect_uri; false if no client or several clients have. Unapproved clients do
// not count. It does not allow any port for native clients: that needs a request that names the
// client.
func (c *Clients) OfPostLogoutRedirect(uri string) (storage.Client, bool) {
	list := c.all.Load().byPostLogoutURI[uri]
	if len(list) != 1 {
		return storage.Client{}, false
	}
	return list[0], true
}

// HasFrontchannelLogout reports whether an enabled client may have a frontchannel_logout_uri. It
// sees the change of another node after the next Reload.
func (c *Clients) HasFrontchannelLogout() bool {
	set := c.all.Load()
	if set.frontchannel {
		return true
	}
	changed := false // a new or changed client may have one
	set.changed.Range(func(any, any) bool {
		changed = true
		return false
	})
	return changed
}

// KnowsOrigin reports whether an enabled client has this web origin.
func (c *Clients) KnowsOrigin(origin string) bool { return c.all.Load().origins[origin] }

// AllowsOrigin reports whether this client has this web origin.
func AllowsOrigin(client storage.Client, origin string) bool {
	return slices.Contains(client.AllOrigins(), origin)
}
