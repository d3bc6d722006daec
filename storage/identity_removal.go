package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// IdentityRemoval is the input of DB.UnlinkIdentity.
type IdentityRemoval struct {
	Identity   Identity // UserID is its owner
	Connectors []string // the connectors through which people can sign in now
	SessionID  string   // the session of the request, which does not end; "": an operator's request
	AllowLast  bool     // remove it even if the user has no other way to sign in
	Checks     []UserCheck
	From       Origin
}

// UnlinkIdentity removes an identity from a user. All sessions that the identity opened end, and
// all grants of those sessions, online and offline. Sessions that were opened with another
// identity or the password continue; a session belongs to the method that was used last. The
// groups from the upstream are removed.
//
// The session of the request does not end, even if the identity opened it: the user has just
// authenticated in it, and has another way to sign in. Its grants from the identity are revoked
// nevertheless. It records the events identity.unlinked, user.groups_changed.
//
// A removal by an operator is final: the undo of a change of the address does not restore the
// identity.
//
// ErrRevoked: the session has ended or is another user's. ErrNotFresh: it has one factor, and the
// account can reach two. ErrNotFound: the user has no such identity. ErrConflict: the identity is
// the user's last way to sign in. The error of a check.
func (db *DB) UnlinkIdentity(ctx context.Context, u IdentityRemoval, at time.Time) error {
	i := u.Identity
	if err := refuseImpossible(i.UserID, i.Connector, i.Issuer, i.Subject); err != nil {
		return fmt.Errorf("unlink identity: %w", err)
	}
	w, finished := unfinished{Kind: identityRemoval, UserID: i.UserID, Identity: i.Key(), At: At(at)}, false
	err := db.write(ctx, "unlink identity", func(tx *gorm.DB) error {
		if err := db.lockRow(tx, userRow, i.UserID, forUpdate); err != nil {
			return err
		}
		if len(u.Checks) > 0 {
			if err := db.checkUser(tx, i.UserID, u.Checks); err != nil {
				return err
			}
		}
		if u.SessionID != "" {
			if _, err := touchSession(tx, i.UserID, u.SessionID, "", at); err != nil {
				return err
			}
			if err := checkStrongEnough(tx, i.UserID, u.SessionID); err != nil {
				return err
			}
		}
		removed, err := changeOne(tx, `DELETE FROM identities WHERE connector = ? AND issuer = ? AND subject = ? AND user_id = ?`,
			i.Connector, i.Issuer, i.Subject, i.UserID)
		if err != nil {
			return err
		}
		if !removed {
			return ErrNotFound
		}
		if u.SessionID == "" {
			if err := forgetFormerIdentity(tx, i); err != nil {
				return err
			}
		}
		remaining, err := countSignInMethods(tx, i.UserID, u.Connectors)
		if err != nil {
			return err
		}
		if remaining == 0 && !u.AllowLast {
			return ErrConflict // undoes the deletion
		}
		if err := endSessionsOpenedBy(tx, opener{Key: i.Key(), UserID: i.UserID, Connector: i.Connector, Reason: "unlinked"}, u.SessionID, By{From: u.From, At: at}); err != nil {
			return err
		}
		// Grants come after the sessions because of the order of locks.
		if w.Bound, err = lastGrantOf(tx, i.UserID, at); err != nil {
			return err
		}
		if _, finished, err = w.begin(tx); err != nil {
			return err
		}
		if err := updateUpstreamGroups(tx, i.UserID, groupsChange{connector: i.Connector, reason: "unlinked"}, By{From: u.From, At: at}); err != nil {
			return err
		}
		removal := MailDraft{Kind: MailIdentityRemoved, UserID: i.UserID, Facts: MailFacts{Connector: i.Connector, Identity: cleanText(i.Email, longestName)}}
		if err := db.notify(tx, removal, By{From: u.From, At: at}); err != nil {
			return err
		}
		return record(tx, Event{Type: IdentityUnlinked, Outcome: Succeeded, UserID: i.UserID, Connector: i.Connector, From: u.From}, at)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}

// openedBy is the condition that an identity opened a session or a grant. Its parameter is the
// key of the identity. Rows from before the identity column match if their amr says that an
// upstream authenticated the person. openedByPasskey is the same for the ID of a passkey. It also
// matches sessions and grants in which a key was the second factor after an upstream, and those from
// before the identity column named it after a password: only their amr tells, so they match for every key.
const (
	openedBy        = `(identity = ? OR identity = '' AND amr LIKE '%"fed"%')`
	openedByPasskey = `(identity = ? OR identity NOT LIKE 'crd!_%' ESCAPE '!' AND amr LIKE '%"pop"%')`
)

// credentialPrefix begins the IDs of credentials. No key of an identity begins with it.
const credentialPrefix = "crd_"

// openedByKey returns the condition for the key of an identity or the ID of a passkey.
func openedByKey(key string) string {
	if strings.HasPrefix(key, credentialPrefix) {
		return openedByPasskey
	}
	return openedBy
}

// opener is an identity or a passkey that was removed.
type opener struct {
	Key       string // Session.Identity of the sessions that it has opened
	UserID    string
	Connector string // for the events
	Reason    string // a stable code
}

// endSessionsOpenedBy ends the sessions that the identity or passkey opened, except keep.
func endSessionsOpenedBy(tx *gorm.DB, o opener, keep string, by By) error {
	var ids []string
	err := tx.Raw(`SELECT id FROM sessions WHERE user_id = ? AND id <> ? AND ended_at = 0 AND `+openedByKey(o.Key)+` ORDER BY id`,
		o.UserID, keep, o.Key).Scan(&ids).Error
	if err != nil {
		return err
	}
	for _, id := range ids {
		e := Event{UserID: o.UserID, SessionID: id, Connector: o.Connector, Reason: o.Reason, From: by.From}
		if err := endSessionWithEvent(tx, e, by.At); err != nil {
			return err
		}
	}
	return nil
}
