package storage

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// MaxListBytes is the largest size of a user's roles, or groups, as a JSON list. Longer lists
// would not fit into tokens and cookies. They are refused when they are set, are not released if
// they exist, and are never shortened.
const MaxListBytes = 2048

// AssertedGroups are the groups of a person that an upstream asserts at a sign-in. The list is
// accepted as a whole or refused as a whole. The zero value means that the person is in no
// group.
type AssertedGroups struct {
	Names []string
	// Refused is a stable code for the reason why the list was refused; "": it was accepted.
	// Names is empty if the list was refused.
	Refused string
}

// AllGroups returns the groups that applications get: first those from an operator, then those
// from upstreams. Each name occurs once.
func (u User) AllGroups() []string {
	if len(u.UpstreamGroups) == 0 {
		return u.Groups
	}
	return union(u.Groups, u.UpstreamGroups)
}

// storeAssertedGroups replaces the identity's groups by those that the upstream asserted at this
// sign-in. The identity is linked already.
func storeAssertedGroups(tx *gorm.DB, i Identity, asserted *AssertedGroups, by By) error {
	if asserted == nil {
		return nil
	}
	text, err := engine.JSONText(asserted.Names)
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
	if detail.GroupsRefused != asserted.Refused {
		detail.GroupsRefused = asserted.Refused
		if err := setDetail(tx, i, detail); err != nil {
			return err
		}
	}
	return updateUpstreamGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: asserted.Refused}, by)
}

// groupsChange is the reason why the groups of a user are collected again, for the event.
type groupsChange struct{ connector, reason string }

// updateUpstreamGroups sets UpstreamGroups of a user to the groups of all its identities. The
// caller holds the lock of the user's row. It records the event user.groups_changed if they have changed.
func updateUpstreamGroups(tx *gorm.DB, userID string, why groupsChange, by By) error {
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
	if added := difference(now, before.UpstreamGroups); len(added) > 0 {
		detail["added"] = added
	}
	if removed := difference(before.UpstreamGroups, now); len(removed) > 0 {
		detail["removed"] = removed
	}
	return record(tx, Event{
		Type: UserGroupsChanged, Outcome: Succeeded, Reason: why.reason, UserID: userID, Connector: why.connector, From: by.From, Detail: detail,
	}, by.At)
}

// difference returns the members of list that are not in other.
func difference(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(other, name) })
}

// GroupSource is a connector with its configured issuers. The groups of identities with one of
// these issuers are used.
type GroupSource struct {
	Connector string
	Issuers   []string // empty: the settings take no groups from the connector, or the connector no longer exists
}

// forgottenBatch is the number of identities that lose their groups in one transaction.
const forgottenBatch = 100

// RemoveUnconfiguredGroups removes groups that are no longer configured. These are the groups of
// identities of s.Connector with an issuer that is not in s.Issuers, after the operator has
// stopped taking groups from the connector, removed it, or changed it to another upstream. It
// handles one batch of identities, and returns their number and whether the batch was full.
// It records the event user.groups_changed, with the reason groups_not_configured.
func (db *DB) RemoveUnconfiguredGroups(ctx context.Context, s GroupSource, by By) (forgotten int, full bool, err error) {
	if err := refuseImpossible(s.Connector); err != nil {
		return 0, false, fmt.Errorf("remove unconfigured groups: %w", err)
	}
	var batch []Identity
	err = db.read(ctx, "look for unconfigured groups", func(q *gorm.DB) error {
		q = q.Select("connector", "issuer", "subject", "user_id").Where("connector = ? AND groups <> ''", s.Connector)
		if len(s.Issuers) > 0 {
			q = q.Where("issuer NOT IN ?", s.Issuers)
		}
		return q.Order("connector, user_id").Limit(forgottenBatch).Find(&batch).Error
	})
	if err != nil || len(batch) == 0 {
		return 0, false, err
	}
	err = db.write(ctx, "remove unconfigured groups", func(tx *gorm.DB) error {
		for _, i := range batch { // in the order in which all transactions lock users
			if err := db.lockRow(tx, userRow, i.UserID, forUpdate); err != nil {
				return err
			}
			err := tx.Exec(`UPDATE identities SET groups = '' WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
				i.Connector, i.Issuer, i.Subject, i.UserID).Error
			if err != nil {
				return err
			}
			if err := updateUpstreamGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: "groups_not_configured"}, by); err != nil {
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

// CorrectStrayGroups removes upstream groups from users without an identity that has groups. The
// previous release does not know these columns, so it leaves the groups when it deletes an
// identity. CorrectStrayGroups handles one batch of users, and reports whether it was full.
func (db *DB) CorrectStrayGroups(ctx context.Context, by By) (full bool, err error) {
	var strays []string
	err = db.read(ctx, "look for stray groups", func(q *gorm.DB) error {
		return q.Raw(`SELECT u.id FROM users u WHERE u.upstream_groups <> ''
			AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.groups <> '') ORDER BY u.id LIMIT ?`, forgottenBatch).Scan(&strays).Error
	})
	if err != nil || len(strays) == 0 {
		return false, err
	}
	err = db.write(ctx, "correct stray groups", func(tx *gorm.DB) error {
		for _, id := range strays {
			if err := db.lockRow(tx, userRow, id, forUpdate); err != nil {
				return err
			}
			if err := updateUpstreamGroups(tx, id, groupsChange{reason: "unlinked"}, by); err != nil {
				return err
			}
		}
		return nil
	})
	return len(strays) == forgottenBatch && err == nil, err
}
