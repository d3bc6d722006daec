package upkeep

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"signet/storage"
)

const (
	// presenceLife is how long a node's word that it serves a connector holds: a node that
	// dies without a word delays the removal of a connector by as much.
	presenceLife = 2 * time.Minute
	// announceInterval is how often a node says it again.
	announceInterval = presenceLife / 4
	// successorDelay is what a node that stops leaves its successor to start in.
	successorDelay = 5 * time.Second
)

// connectorPresence is what this node has last told the others about its connectors.
type connectorPresence struct {
	db   *storage.DB
	log  *slog.Logger
	node string

	mu         sync.Mutex // a tick of the provider before may still run
	announced  []string
	announceAt time.Time // when to tell it again

	groupSources  []storage.GroupSource // that RemoveUnconfiguredGroupsOnce was last called with
	checkGroupsAt time.Time             // when it looks again
}

func newConnectorPresence(db *storage.DB, log *slog.Logger) *connectorPresence {
	return &connectorPresence{db: db, log: log, node: storage.NewID("node_")}
}

// mustAnnounce reports whether the others must be told now.
func (s *connectorPresence) mustAnnounce(ids []string, at time.Time) bool {
	return s.announceAt.IsZero() || !slices.Equal(ids, s.announced) || !at.Before(s.announceAt) || s.announceAt.Sub(at) > presenceLife
}

// EndRemovedConnectorsOnce tells the other nodes which connectors this one serves, by their ids,
// every half minute and when they have changed, and ends the sessions that came through
// connectors which no node serves any more. Settings that are wrong are not taken over,
// so a connector that fails to load is still served. Its caller calls it once a second.
func (s *connectorPresence) EndRemovedConnectorsOnce(ctx context.Context, ids []string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mustAnnounce(ids, at) {
		return nil
	}
	found, err := s.db.AnnounceConnectors(ctx, storage.ConnectorPresence{Node: s.node, Connectors: ids, HoldsFor: presenceLife}, at)
	if err != nil {
		return err
	}
	next := at.Add(announceInterval)
	if found.CheckAgainAt != 0 && found.CheckAgainAt.Time().Before(next) {
		next = found.CheckAgainAt.Time()
	}
	for _, id := range found.Removed {
		whole, err := s.endSessionsThrough(ctx, id, at)
		if err != nil {
			return err
		}
		if !whole {
			next = at // the rest at the next tick
		}
	}
	s.announced, s.announceAt = ids, next
	return nil
}

// endSessionsThrough ends the sessions of a removed connector, at most mostBatches at a time.
func (s *connectorPresence) endSessionsThrough(ctx context.Context, connector string, at time.Time) (whole bool, err error) {
	// Groups first: the connector is forgotten with its last session.
	if whole, err = s.forgetGroups(ctx, storage.GroupSource{Connector: connector}, at); err != nil || !whole {
		return false, err
	}
	total := 0
	err = inBatches(func() (bool, error) {
		n, full, err := s.db.EndConnectorSessions(ctx, connector, storage.By{From: storage.Origin{Actor: "system"}, At: at})
		total, whole = total+n, !full
		return full, err
	})
	if total > 0 {
		s.log.Warn("a connector was removed from the settings of all nodes: the sessions that came through it have ended",
			"connector", connector, "sessions", total)
	}
	if err != nil {
		return false, fmt.Errorf("connector %s was removed: %w", connector, err)
	}
	return whole, nil
}

// ReleaseConnectors is called when the node stops: the connectors that it alone served
// count as removed soon, unless its successor serves them.
func (s *connectorPresence) ReleaseConnectors(ctx context.Context, at time.Time) error {
	return s.db.ReleaseConnectors(ctx, s.node, successorDelay, at)
}
