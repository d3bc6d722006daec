package upkeep

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"signet/storage"
)

// groupsInterval is how often RemoveUnconfiguredGroupsOnce checks the groups if the settings
// have not changed. A node with older settings or an older release may have stored some in
// the meantime.
const groupsInterval = time.Hour

// RemoveUnconfiguredGroupsOnce deletes groups that came from upstreams and that the settings do
// not allow any more: the connector no longer maps groups, or it now points to another
// upstream. It checks them at the start, when the settings have changed, and every hour. The
// caller calls it once a second.
func (s *connectorPresence) RemoveUnconfiguredGroupsOnce(ctx context.Context, sources []storage.GroupSource, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.DeepEqual(s.groupSources, sources) && at.Before(s.checkGroupsAt) && s.checkGroupsAt.Sub(at) <= groupsInterval {
		return nil
	}
	for _, source := range sources {
		whole, err := s.forgetGroups(ctx, source, at)
		if err != nil {
			return fmt.Errorf("delete groups of connector %s: %w", source.Connector, err)
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

// forgetGroups deletes the groups of a connector that are not allowed any more, at most
// maxBatches batches per call. whole reports whether all were deleted.
func (s *connectorPresence) forgetGroups(ctx context.Context, source storage.GroupSource, at time.Time) (whole bool, err error) {
	total := 0
	err = inBatches(func() (bool, error) {
		n, full, err := s.db.RemoveUnconfiguredGroups(ctx, source, bySystem(at))
		total, whole = total+n, !full
		return full, err
	})
	if total > 0 {
		s.log.Warn("the settings do not take groups from this upstream any more: its groups were removed from users",
			"connector", source.Connector, "identities", total)
	}
	return whole && err == nil, err
}

func bySystem(at time.Time) storage.By {
	return storage.By{From: storage.Origin{Actor: storage.ActorSystem}, At: at}
}
