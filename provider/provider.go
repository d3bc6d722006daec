package provider

import (
	"context"
	"net/http"
	"net/netip"

	"signet/provider/web"
	"signet/storage"
)

// Provider is an OpenID provider on one database. Any number of providers may share a
// database: each holds only caches in memory, and reloads them when the change counter
// in the database moves.
type Provider struct {
	shared     *shared     // the same for all providers that With returns
	generation *generation // made anew by With
}

// New opens the key ring, loads the clients and builds the handler.
func New(ctx context.Context, c Config, db *storage.DB) (*Provider, error) {
	c.setDefaults()
	live := c.takeLive()
	s, err := newShared(ctx, c, db)
	if err != nil {
		return nil, err
	}
	return (&Provider{shared: s}).With(live)
}

// With returns a provider with other Live settings on the same database, keys and caches.
// The old provider p finishes the requests that it has begun. A user who is at an upstream
// during the change may return to either of the two.
func (p *Provider) With(l Live) (*Provider, error) {
	g, err := newGeneration(p.shared, l)
	if err != nil {
		return nil, err
	}
	return &Provider{p.shared, g}, nil
}

// Handler returns the handler of every path below the issuer.
func (p *Provider) Handler() http.Handler { return p.generation.handler }

// TrustedProxies returns the proxies that may state the address of a client.
func (p *Provider) TrustedProxies() []netip.Prefix { return p.generation.proxies }

// Routes lists every path that Handler serves.
func (p *Provider) Routes() []web.Route { return p.generation.routes }
