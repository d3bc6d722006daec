package upkeep

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"signet/storage"
)

// groupsInterval is how often the groups of connectors are looked through though the settings
// have not changed: a node with older settings, or of the release before, may have left
// some behind.
const groupsInterval = time.Hour

// RemoveUnconfiguredGroupsOnce takes the groups away that upstreams gave and the settings do not cover
// any more: the operator takes no groups from the connector now, or has pointed it at
// another upstream. It looks at the start, when the settings have changed, and every hour.
// Its caller calls it once a second.
func (s *connectorPresence) RemoveUnconfiguredGroupsOnce(ctx context.Context, sources []storage.GroupSource, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.DeepEqual(s.groupSources, sources) && at.Before(s.checkGroupsAt) && s.checkGroupsAt.Sub(at) <= groupsInterval {
		return nil
	}
	for _, source := range sources {
		whole, err := s.forgetGroups(ctx, source, at)
		if err != nil {
			return fmt.Errorf("groups of connector %s: %w", source.Connector, err)
		}
		if !whole {
			return nil // the rest at the next tick
		}
	}
	err := inBatches(func() (bool, error) { return s.db.CorrectStrayGroups(ctx, bySystem(at)) })
	if err != nil {
		return err
	}
	s.groupSources, s.checkGroupsAt = sources, at.Add(groupsInterval)
	return nil
}

// forgetGroups takes the groups of a connector away that do not count, at most mostBatches
// at a time.
func (s *connectorPresence) forgetGroups(ctx context.Context, source storage.GroupSource, at time.Time) (whole bool, err error) {
	total := 0
	err = inBatches(func() (bool, error) {
		n, full, err := s.db.RemoveUnconfiguredGroups(ctx, source, bySystem(at))
		total, whole = total+n, !full
		return full, err
	})
	if total > 0 {
		s.log.Warn("the settings take no groups from this upstream any more: people have lost those that it gave",
			"connector", source.Connector, "identities", total)
	}
	return whole && err == nil, err
}

func bySystem(at time.Time) storage.By {
	return storage.By{From: storage.Origin{Actor: "system"}, At: at}
}
