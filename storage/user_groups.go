package storage

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// MaxListBytes is how large the roles of a user, and the groups, may be as a JSON list.
// Longer lists would not fit into tokens and cookies: nobody can give one, none is
// released, and none is ever shortened.
const MaxListBytes = 2048

// AssertedGroups is what an upstream says of a person's groups at a sign-in. The list is taken
// whole or not at all; the zero value means that the person is in no group.
type AssertedGroups struct {
	Names []string
	// Refused is a stable code for why the list was not taken, "" if it was. Names is
	// empty then.
	Refused string
}

// AllGroups are the groups that applications are told: those that an operator gave, and
// then those of upstreams. No name is in it twice.
func (u User) AllGroups() []string {
	if len(u.UpstreamGroups) == 0 {
		return u.Groups
	}
	return union(u.Groups, u.UpstreamGroups)
}

// followGroups puts the groups that an upstream gave at this sign-in in place of those of
// the identity's last one. The identity is linked already.
func followGroups(tx *gorm.DB, i Identity, said *AssertedGroups, by By) error {
	if said == nil {
		return nil
	}
	text, err := engine.JSONText(said.Names)
	if err != nil {
		return err
	}
	err = tx.Exec(`UPDATE identities SET groups = ? WHERE connector = ? AND issuer = ? AND subject = ? AND groups <> ?`,
		text, i.Connector, i.Issuer, i.Subject, text).Error
	if err != nil {
		return err
	}
	detail, err := detailOf(tx, i)
	if err != nil {
		return err
	}
	if detail.GroupsRefused != said.Refused {
		detail.GroupsRefused = said.Refused
		if err := setDetail(tx, i, detail); err != nil {
			return err
		}
	}
	return gatherGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: said.Refused}, by)
}

// groupsChange tells why the groups of a user are gathered anew, for the event.
type groupsChange struct{ connector, reason string }

// gatherGroups puts the groups of all identities of a user together. The caller holds the
// user's row. Event user.groups_changed if that changes anything.
func gatherGroups(tx *gorm.DB, userID string, why groupsChange, by By) error {
	var identities []Identity
	err := tx.Select("groups").Where("user_id = ? AND groups <> ''", userID).Order("created_at, connector, subject").Find(&identities).Error
	if err != nil {
		return err
	}
	var now []string
	for _, i := range identities {
		now = union(now, i.Groups)
	}
	var before User
	if err := tx.Select("upstream_groups").Where("id = ?", userID).Take(&before).Error; err != nil {
		return err
	}
	if slices.Equal(now, before.UpstreamGroups) {
		return nil
	}
	text, err := engine.JSONText(now)
	if err != nil {
		return err
	}
	err = tx.Exec(`UPDATE users SET upstream_groups = ?, updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END WHERE id = ?`,
		text, At(by.At), At(by.At), userID).Error
	if err != nil {
		return err
	}
	detail := map[string]any{}
	if added := without(now, before.UpstreamGroups); len(added) > 0 {
		detail["added"] = added
	}
	if removed := without(before.UpstreamGroups, now); len(removed) > 0 {
		detail["removed"] = removed
	}
	return record(tx, Event{
		Type: UserGroupsChanged, Outcome: Succeeded, Reason: why.reason, UserID: userID, Connector: why.connector, From: by.From, Detail: detail,
	}, by.At)
}

// without gives the members of a list that another list lacks.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(other, name) })
}

// GroupSource names the identities whose groups count: those of a connector at its
// issuers of today.
type GroupSource struct {
	Connector string
	Issuers   []string // none: the settings take no groups from the connector, or there is no such connector any more
}

// forgottenBatch is how many identities lose their groups in one transaction.
const forgottenBatch = 100

// RemoveUnconfiguredGroups takes the groups of one batch of identities that the connector's settings
// do not cover any more: the operator has stopped taking groups from it, removed it, or
// pointed it at another upstream. It reports whether the batch was a full one. Event
// user.groups_changed, with the reason groups_not_configured.
func (db *DB) RemoveUnconfiguredGroups(ctx context.Context, s GroupSource, by By) (forgotten int, full bool, err error) {
	if err := refuseImpossible(s.Connector); err != nil {
		return 0, false, fmt.Errorf("forget groups: %w", err)
	}
	var batch []Identity
	err = db.read(ctx, "look for forgotten groups", func(q *gorm.DB) error {
		q = q.Select("connector", "issuer", "subject", "user_id").Where("connector = ? AND groups <> ''", s.Connector)
		if len(s.Issuers) > 0 {
			q = q.Where("issuer NOT IN ?", s.Issuers)
		}
		return q.Order("connector, user_id").Limit(forgottenBatch).Find(&batch).Error
	})
	if err != nil || len(batch) == 0 {
		return 0, false, err
	}
	err = db.write(ctx, "forget groups", func(tx *gorm.DB) error {
		for _, i := range batch { // in the order of the users, as everybody locks them
			if err := db.lockRow(tx, userRow, i.UserID, forUpdate); err != nil {
				return err
			}
			err := tx.Exec(`UPDATE identities SET groups = '' WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
				i.Connector, i.Issuer, i.Subject, i.UserID).Error
			if err != nil {
				return err
			}
			if err := gatherGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: "groups_not_configured"}, by); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return len(batch), len(batch) == forgottenBatch, nil
}

// CorrectStrayGroups corrects one batch of users whose identities are gone while their
// groups are not, as a program of the release before leaves them: it knows neither column.
// It reports whether the batch was a full one.
func (db *DB) CorrectStrayGroups(ctx context.Context, by By) (full bool, err error) {
	var strays []string
	err = db.read(ctx, "look for stray groups", func(q *gorm.DB) error {
		return q.Raw(`SELECT u.id FROM users u WHERE u.upstream_groups <> ''
			AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.groups <> '') ORDER BY u.id LIMIT ?`, forgottenBatch).Scan(&strays).Error
	})
	if err != nil || len(strays) == 0 {
		return false, err
	}
	err = db.write(ctx, "gather stray groups", func(tx *gorm.DB) error {
		for _, id := range strays {
			if err := db.lockRow(tx, userRow, id, forUpdate); err != nil {
				return err
			}
			if err := gatherGroups(tx, id, groupsChange{reason: "unlinked"}, by); err != nil {
				return err
			}
		}
		return nil
	})
	return len(strays) == forgottenBatch && err == nil, err
}
