package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Ending is the input of DB.EndEverything.
type Ending struct {
	Reason   string // free text of an operator
	HostUser string // the operating system user who ran the command
	Fresh    []Key  // the keys that sign and seal from now on: an active and a next key of each line
}

// Ended is the result of DB.EndEverything.
type Ended struct {
	NotBefore Millis // sessions and grants that were created until then have ended
	Revoked   []Key  // the keys that were revoked, as they were before
}

// EndEverything ends every session and grant of the instance, and revokes every key, in one
// transaction. It is for the case that the database or the master key was stolen, so it revokes
// the next keys too: their private halves are in the database. It deletes pushed requests, device
// codes, mailed links, setup links and emergency links. Changes of addresses become final. Codes, sealed requests, refresh tokens and cookies
// that the revoked secrets sealed do not open any more. Clients get logout notices for the
// sessions; see QueueEndedLogouts. Users, passwords, identities, clients, client secrets and
// consents stay. It increments the change counter. It records the events
// instance.everything_ended, key.revoked and key.created.
//
// A session that starts at the same millisecond or later is later than NotBefore: see
// startSession. Everything ends again if EndEverything is called again.
func (db *DB) EndEverything(ctx context.Context, e Ending, by By) (Ended, error) {
	for _, k := range e.Fresh {
		if err := refuseImpossible(k.ID, k.Line); err != nil {
			return Ended{}, fmt.Errorf("end everything: %w", err)
		}
	}
	done := Ended{NotBefore: At(by.At)}
	latest, err := db.latestCreation(ctx)
	if err != nil {
		return Ended{}, fmt.Errorf("end everything: %w", err)
	}
	err = db.writeKeys(ctx, "end everything", func(tx *gorm.DB) error {
		if err := endInstance(tx, done.NotBefore, by.At); err != nil {
			return err
		}
		if latest > done.NotBefore {
			if err := endLaterRows(tx, done.NotBefore, "everything_ended", by.At); err != nil {
				return err
			}
		}
		if done.Revoked, err = replaceAllKeys(tx, e, by); err != nil {
			return fmt.Errorf("replace keys: %w", err)
		}
		detail := map[string]any{"reason": e.Reason, "host_user": e.HostUser, "keys": len(done.Revoked)}
		if err := record(tx, Event{Type: EverythingEnded, Outcome: Succeeded, From: by.From, Detail: detail}, by.At); err != nil {
			return err
		}
		return incrementChangeCounter(tx)
	})
	if err != nil {
		return Ended{}, err
	}
	return done, nil
}

// latestCreation returns the creation time of the newest session or grant. It reads both tables
// as a whole, so it runs before the transaction of the caller and not within it.
func (db *DB) latestCreation(ctx context.Context) (latest Millis, err error) {
	err = db.read(ctx, "read the newest session", func(q *gorm.DB) error {
		return q.Raw(`SELECT MAX(made) FROM (
			SELECT COALESCE(MAX(created_at), 0) AS made FROM sessions
			UNION ALL SELECT COALESCE(MAX(created_at), 0) FROM grants) AS dates`).Scan(&latest).Error
	})
	return latest, err
}

// endInstance moves not_before of the instance, which ends all sessions and grants that were
// created until then. It deletes everything else that could lead to a session, and has
// QueueEndedLogouts write the logout notices. The caller holds the lock of the instance's row.
func endInstance(tx *gorm.DB, notBefore Millis, at time.Time) error {
	for _, ended := range []struct {
		sql  string
		args []any
	}{
		// If the notices of an earlier call are not all written, the walk begins again for both.
		{`UPDATE instance SET notices_from = CASE WHEN notices_until = 0 THEN not_before ELSE notices_from END, notices_until = ?, notices_after = ''
			WHERE id = 1`, []any{notBefore}},
		{`UPDATE instance SET not_before = ? WHERE id = 1 AND not_before < ?`, []any{notBefore, notBefore}},
		{`DELETE FROM pushed_requests WHERE id <> ''`, nil},
		{`DELETE FROM device_codes WHERE id <> ''`, nil},
		{`DELETE FROM setup_links WHERE hash <> ''`, nil},
		{`DELETE FROM mail_links WHERE id <> ''`, nil},
		{`DELETE FROM address_changes WHERE id <> ''`, nil}, // without the links, nobody can undo them
		{closeEmergencyLinks, nil},
	} {
		if err := tx.Exec(ended.sql, ended.args...).Error; err != nil {
			return fmt.Errorf("end sessions and grants: %w", err)
		}
	}
	return nil
}

// endLaterRows ends the sessions and grants that have a later creation time than notBefore. A
// node with a fast clock created them. They are ended one by one, because not_before must not be
// in the future: see IsTokenRevoked.
func endLaterRows(tx *gorm.DB, notBefore Millis, reason string, at time.Time) error {
	if err := queueLogout(tx, at, `s.ended_at = 0 AND s.created_at > ?`, notBefore); err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE sessions SET ended_at = ?, end_reason = ? WHERE ended_at = 0 AND created_at > ?`, At(at), reason, notBefore).Error; err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	if err := tx.Exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE revoked_at = 0 AND created_at > ?`, At(at), reason, notBefore).Error; err != nil {
		return fmt.Errorf("end grants: %w", err)
	}
	return nil
}

// replaceAllKeys revokes every key that is not revoked yet and inserts the fresh ones. Keys that
// are gone are revoked too: an older copy of the database contains their private halves, and they
// still verify ID token hints.
func replaceAllKeys(tx *gorm.DB, e Ending, by By) (revoked []Key, err error) {
	if err := tx.Where("state <> ?", KeyRevoked).Order("line, created_at, id").Find(&revoked).Error; err != nil {
		return nil, err
	}
	reason := cleanText(e.Reason, longestName)
	for _, k := range revoked {
		if err := tx.Exec(`UPDATE keys SET state = 'revoked', revoked_at = ?, revoke_reason = ?, `+clearPrivateKey+` WHERE id = ?`,
			At(by.At), reason, externalMarker, emptyBytes, k.ID).Error; err != nil {
			return nil, err
		}
		detail := map[string]any{"kid": k.ID, "line": k.Line, "state": string(k.State), "reason": e.Reason}
		if i := successor(e.Fresh, k); i >= 0 {
			detail["successor"] = e.Fresh[i].ID
		}
		if err := record(tx, Event{Type: KeyRevokedEvent, Outcome: Succeeded, From: by.From, Detail: detail}, by.At); err != nil {
			return nil, err
		}
	}
	for _, k := range e.Fresh {
		if err := insertKey(tx, k, by); err != nil {
			return nil, err
		}
	}
	return revoked, nil
}

// successor returns the index of the fresh key that signs instead of an active key, or -1.
func successor(fresh []Key, k Key) int {
	for i, f := range fresh {
		if k.State == KeyActive && f.State == KeyActive && f.Line == k.Line {
			return i
		}
	}
	return -1
}

// logoutPortion is the number of sessions for which QueueEndedLogouts writes notices in one
// transaction, so that other writes can run in between.
const logoutPortion = 100

// QueueEndedLogouts writes the logout notices for the next portion of the sessions that
// EndEverything or MarkRestored has ended, and reports whether there are more. If no notices are
// left to write, it writes nothing. All nodes may call it: each portion is done once.
func (db *DB) QueueEndedLogouts(ctx context.Context, at time.Time) (more bool, err error) {
	var until Millis
	err = db.read(ctx, "look for ended sessions", func(q *gorm.DB) error {
		return q.Raw(`SELECT notices_until FROM instance WHERE id = 1`).Scan(&until).Error
	})
	if err != nil || until == 0 {
		return false, err
	}
	err = db.write(ctx, "queue logout notices", func(tx *gorm.DB) error {
		more = false
		if err := db.lockRow(tx, instanceRow, 1, forUpdate); err != nil {
			return err
		}
		var walk struct {
			NoticesFrom, NoticesUntil Millis
			NoticesAfter              string
		}
		if err := tx.Raw(`SELECT notices_from, notices_until, notices_after FROM instance WHERE id = 1`).Scan(&walk).Error; err != nil {
			return err
		}
		if walk.NoticesUntil == 0 {
			return nil // another node has finished
		}
		var portion []struct {
			ID, UserID string
			Ends       bool // by this end; the others ended before, and have their notices
		}
		if err := tx.Raw(`SELECT s.id, s.user_id, s.ended_at = 0 AND s.created_at > ? AND s.created_at <= ?
				AND s.created_at > (SELECT u.not_before FROM users u WHERE u.id = s.user_id) AS ends
			FROM sessions s WHERE s.id > ? ORDER BY s.id LIMIT ?`,
			walk.NoticesFrom, walk.NoticesUntil, walk.NoticesAfter, logoutPortion).Scan(&portion).Error; err != nil {
			return err
		}
		for _, s := range portion {
			if !s.Ends {
				continue
			}
			if err := queueLogout(tx, at, `s.user_id = ? AND s.id = ?`, s.UserID, s.ID); err != nil {
				return err
			}
		}
		if more = len(portion) == logoutPortion; more {
			return tx.Exec(`UPDATE instance SET notices_after = ? WHERE id = 1`, portion[len(portion)-1].ID).Error
		}
		return tx.Exec(`UPDATE instance SET notices_from = 0, notices_until = 0, notices_after = '' WHERE id = 1`).Error
	})
	return more && err == nil, err
}

// Extent counts the objects that EndEverything ends or that an operator has to look after.
type Extent struct {
	Sessions       int64 // live ones
	Grants         int64 // live ones, with or without offline access
	Keys           int64 // not revoked
	Clients        int64 // enabled ones
	NotifiedClient int64 // enabled ones that receive logout notices
	UpstreamTokens int64 // stored tokens of upstreams, which stay valid there
}

// Extent counts what the instance contains now. It reads whole tables.
func (db *DB) Extent(ctx context.Context, at time.Time) (Extent, error) {
	var e Extent
	err := db.read(ctx, "count sessions", func(q *gorm.DB) error {
		return q.Raw(`SELECT (SELECT COUNT(*) FROM sessions s WHERE ?) AS sessions, (SELECT COUNT(*) FROM grants g WHERE ?) AS grants,
			(SELECT COUNT(*) FROM keys WHERE state <> 'revoked') AS keys, (SELECT COUNT(*) FROM clients WHERE disabled_at = 0) AS clients,
			(SELECT COUNT(*) FROM clients WHERE disabled_at = 0 AND metadata LIKE '%"backchannel_logout_uri":%') AS notified_client,
			(SELECT COUNT(*) FROM identities WHERE detail LIKE '%"token":%') AS upstream_tokens`, liveSession(at), liveGrant(at)).Scan(&e).Error
	})
	return e, err
}
