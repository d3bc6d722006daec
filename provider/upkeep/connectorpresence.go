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
	// presenceLife is how long the announcement that a node serves a connector is valid. A
	// node that crashes delays the removal of a connector by this time.
	presenceLife = 2 * time.Minute
	// announceInterval is how often a node repeats its announcement.
	announceInterval = presenceLife / 4
	// successorDelay is the time in which another node can take over the connectors of a node
	// that stops.
	successorDelay = 5 * time.Second
)

// connectorPresence holds the connectors that this node has announced to the other nodes, and
// the state of RemoveUnconfiguredGroupsOnce.
type connectorPresence struct {
	db   *storage.DB
	log  *slog.Logger
	node string

	mu         sync.Mutex // a job of the previous provider may still run after a reload
	announced  []string
	announceAt time.Time // time of the next announcement

	groupSources  []storage.GroupSource // of the last complete RemoveUnconfiguredGroupsOnce
	checkGroupsAt time.Time             // time of its next check
}

func newConnectorPresence(db *storage.DB, log *slog.Logger) *connectorPresence {
	return &connectorPresence{db: db, log: log, node: storage.NewID("node_")}
}

// mustAnnounce reports whether the connectors must be announced now.
func (s *connectorPresence) mustAnnounce(ids []string, at time.Time) bool {
	return s.announceAt.IsZero() || !slices.Equal(ids, s.announced) || !at.Before(s.announceAt) || s.announceAt.Sub(at) > presenceLife
}

// EndRemovedConnectorsOnce announces the ids of the connectors that this node serves to the
// other nodes, every half minute and when they have changed. Then it ends the sessions from
// connectors that no node serves any more. Invalid settings are not loaded, so a connector with
// a mistake in its settings is still served. The caller calls it once a second.
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

// endSessionsThrough ends the sessions from a removed connector, at most maxBatches batches per
// call. whole reports whether all have ended.
func (s *connectorPresence) endSessionsThrough(ctx context.Context, connector string, at time.Time) (whole bool, err error) {
	// Groups first: the row of the connector is deleted with its last session.
	if whole, err = s.forgetGroups(ctx, storage.GroupSource{Connector: connector}, at); err != nil || !whole {
		return false, err
	}
	total := 0
	err = inBatches(func() (bool, error) {
		n, full, err := s.db.EndConnectorSessions(ctx, connector, storage.By{From: storage.Origin{Actor: storage.ActorSystem}, At: at})
		total, whole = total+n, !full
		return full, err
	})
	if total > 0 {
		s.log.Warn("a connector was removed from the settings of all nodes: its sessions have ended",
			"connector", connector, "sessions", total)
	}
	if err != nil {
		return false, fmt.Errorf("end sessions of removed connector %s: %w", connector, err)
	}
	return whole, nil
}

// ReleaseConnectors withdraws the announcement of this node when it stops. Connectors that only
// this node served count as removed after 5 s, unless another node serves them by then.
func (s *connectorPresence) ReleaseConnectors(ctx context.Context, at time.Time) error {
	return s.db.ReleaseConnectors(ctx, s.node, successorDelay, at)
}
