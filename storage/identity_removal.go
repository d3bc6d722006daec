package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// IdentityRemoval is the input of DB.UnlinkIdentity.
type IdentityRemoval struct {
	Identity   Identity // UserID: whose it is
	Connectors []string // those that people can sign in through now
	SessionID  string   // in which it is asked for, and which stays; "": an operator asks
	AllowLast  bool     // remove it even if the user has no other way in
	From       Origin
}

// UnlinkIdentity takes an identity from a user. The sessions that this identity opened end,
// and so do the grants that they opened, online and offline; what another identity
// or the password opened goes on. A session belongs to the way in that was used
// last. The session in which the user asks stays, even if the identity opened it:
// only the user's fresh proof can have brought them here, and they have another way
// in. Its grants from the identity end all the same, and so do the groups that the
// upstream gave. Events identity.unlinked, user.groups_changed.
//
// ErrRevoked: the session is dead or another user's. ErrNotFound: the user has no
// such identity. ErrConflict: it is the user's last way in.
func (db *DB) UnlinkIdentity(ctx context.Context, u IdentityRemoval, at time.Time) error {
	i := u.Identity
	if err := refuseImpossible(i.UserID, i.Connector, i.Issuer, i.Subject); err != nil {
		return fmt.Errorf("unlink identity: %w", err)
	}
	return db.write(ctx, "unlink identity", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, i.UserID, forUpdate); err != nil {
			return err
		}
		if u.SessionID != "" {
			if _, err := touchSession(tx, i.UserID, u.SessionID, "", at); err != nil {
				return err
			}
		}
		removed, err := changed(tx, `DELETE FROM identities WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
			i.Connector, i.Issuer, i.Subject, i.UserID)
		if err != nil {
			return err
		}
		if !removed {
			return ErrNotFound
		}
		left, err := waysIn(tx, i.UserID, u.Connectors)
		if err != nil {
			return err
		}
		if left == 0 && !u.AllowLast {
			return ErrConflict // and the deletion is undone
		}
		if err := endOpenedBy(tx, i, u.SessionID, By{From: u.From, At: at}); err != nil {
			return err
		}
		if err := gatherGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: "unlinked"}, By{From: u.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: IdentityUnlinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: u.From}, at)
	})
}

// openedBy is the condition under which an identity opened a session or a grant; its
// parameter is the identity's key. Rows that do not know their identity, but say
// that an upstream vouched, count as well: they are from before the column.
const openedBy = `(identity = ? OR identity = '' AND amr LIKE '%"fed"%')`

// endOpenedBy ends the sessions of a user that the identity opened, but for keep, and
// the grants. Grants are revoked after the sessions, for the locks go in that order.
func endOpenedBy(tx *gorm.DB, i Identity, keep string, by By) error {
	const reason = "unlinked"
	var ids []string
	err := tx.Raw(`SELECT id FROM sessions WHERE user_id = ? AND id <> ? AND ended_at = 0 AND `+openedBy+` ORDER BY id`,
		i.UserID, keep, i.Key()).Scan(&ids).Error
	if err != nil {
		return err
	}
	for _, id := range ids {
		e := Event{UserID: i.UserID, SessionID: id, Connector: i.Connector, Reason: reason, From: by.From}
		if err := endSessionBy(tx, e, by.At); err != nil {
			return err
		}
	}
	return tx.Exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE user_id = ? AND revoked_at = 0 AND `+openedBy,
		At(by.At), reason, i.UserID, i.Key()).Error
}
