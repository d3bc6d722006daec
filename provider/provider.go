package provider

import (
	"context"
	"net/http"

	"signet/provider/web"
	"signet/storage"
)

// Provider is an OpenID provider over one database. Any number of them may share
// one; none keeps anything in memory but caches that follow the change counter.
type Provider struct {
	shared     *shared     // With hands it on
	generation *generation // With makes another
}

// New opens the key ring, loads the clients and builds the handler.
func New(ctx context.Context, c Config, db *storage.DB) (*Provider, error) {
	c.setDefaults()
	live := c.live()
	s, err := newShared(ctx, c, db)
	if err != nil {
		return nil, err
	}
	return (&Provider{shared: s}).With(live)
}

// With gives a provider of other Live settings on the same database, keys and caches.
// p still serves the requests that it has; whoever is on the way to an upstream comes
// back to the one or the other.
func (p *Provider) With(l Live) (*Provider, error) {
	g, err := newGeneration(p.shared, l)
	if err != nil {
		return nil, err
	}
	return &Provider{p.shared, g}, nil
}

// Handler serves every path below the issuer.
func (p *Provider) Handler() http.Handler { return p.generation.handler }

// Routes is the list of everything that Handler serves.
func (p *Provider) Routes() []web.Route { return p.generation.routes }
