package provider

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"signet/storage"
)

const (
	// serveFor is how long a node's word that it serves a connector holds: a node that
	// dies without a word delays the removal of a connector by as much.
	serveFor = 2 * time.Minute
	// serveAgain is how often a node says it again.
	serveAgain = serveFor / 4
	// successorIn is what a node that stops leaves its successor to start in.
	successorIn = 5 * time.Second
)

// served is what this node has last told the others about its connectors. All
// providers that With makes share it.
type served struct {
	node string

	mu    sync.Mutex // a tick of the provider before may still run
	ids   []string
	again time.Time // when to tell it again
}

func newServed() *served { return &served{node: storage.NewID("node_")} }

// due reports whether the others must be told now.
func (s *served) due(ids []string, at time.Time) bool {
	return s.again.IsZero() || !slices.Equal(ids, s.ids) || !at.Before(s.again) || s.again.Sub(at) > serveFor
}

// endRemoved tells the other nodes which connectors this one serves, every half
// minute and when they have changed, and ends the sessions that came through
// connectors which no node serves any more. Settings that are wrong are not taken
// over, so a connector that fails to load is still served.
func (p *Provider) endRemoved(ctx context.Context, at time.Time) error {
	ids := make([]string, 0, len(p.Connectors))
	for _, c := range p.Connectors {
		ids = append(ids, c.ID)
	}
	p.served.mu.Lock()
	defer p.served.mu.Unlock()
	if !p.served.due(ids, at) {
		return nil
	}
	found, err := p.db.ServeConnectors(ctx, storage.Serving{Node: p.served.node, Connectors: ids, For: serveFor}, at)
	if err != nil {
		return err
	}
	next := at.Add(serveAgain)
	if found.Again != 0 && found.Again.Time().Before(next) {
		next = found.Again.Time()
	}
	for _, id := range found.Removed {
		whole, err := p.endThrough(ctx, id, at)
		if err != nil {
			return err
		}
		if !whole {
			next = at // the rest at the next tick
		}
	}
	p.served.ids, p.served.again = ids, next
	return nil
}

// endThrough ends the sessions of a removed connector, at most mostBatches at a time.
func (p *Provider) endThrough(ctx context.Context, connector string, at time.Time) (whole bool, err error) {
	total := 0
	whole = true
	err = inBatches(func() (bool, error) {
		n, full, err := p.db.EndSessionsThrough(ctx, connector, storage.By{From: storage.Origin{Actor: "system"}, At: at})
		total, whole = total+n, !full
		return full, err
	})
	if total > 0 {
		p.Log.Warn("a connector was removed from the settings of all nodes: the sessions that came through it have ended",
			"connector", connector, "sessions", total)
	}
	if err != nil {
		return false, fmt.Errorf("connector %s was removed: %w", connector, err)
	}
	return whole, nil
}

// LeaveConnectors is called when the node stops: the connectors that it alone served
// count as removed soon, unless its successor serves them.
func (p *Provider) LeaveConnectors(ctx context.Context, at time.Time) error {
	return p.db.LeaveConnectors(ctx, p.served.node, successorIn, at)
}
