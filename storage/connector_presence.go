package storage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// ConnectorPresence is the input of DB.AnnounceConnectors.
type ConnectorPresence struct {
	Node       string        // identifies one process
	Connectors []string      // IDs of the connectors that this node offers for sign-in
	HoldsFor   time.Duration // how long the announcement is valid unless it is renewed
}

// PresenceResult is the state of all connectors that were ever announced.
type PresenceResult struct {
	Removed      []string // no node serves these any more
	CheckAgainAt Millis   // when the next announcement of another node ends; 0: there is none
}

// AnnounceConnectors records which connectors a node serves, and returns those that were
// removed. A connector counts as removed once no node serves it. While one node serves it, a
// node with an older configuration, or one that has not reloaded yet, removes nothing. If a node
// no longer names a connector that it served before, its announcement for that connector ends at
// once. A connector that was never announced is unknown here, not removed.
func (db *DB) AnnounceConnectors(ctx context.Context, s ConnectorPresence, at time.Time) (PresenceResult, error) {
	if err := refuseImpossible(append(slices.Clone(s.Connectors), s.Node)...); err != nil {
		return PresenceResult{}, fmt.Errorf("announce connectors: %w", err)
	}
	if len(s.Connectors) == 0 { // the usual case without upstreams
		var noted int64
		err := db.read(ctx, "read announced connectors", func(q *gorm.DB) error {
			return q.Raw(`SELECT COUNT(*) FROM served_connectors`).Scan(&noted).Error
		})
		if err != nil || noted == 0 {
			return PresenceResult{}, err
		}
	}
	var rows []servedConnector
	err := db.write(ctx, "announce connectors", func(tx *gorm.DB) error {
		rows = nil
		if err := tx.Exec(`UPDATE served_connectors SET expires_at = ? WHERE node = ? AND expires_at > ?`, At(at), s.Node, At(at)).Error; err != nil {
			return err
		}
		for _, id := range slices.Sorted(slices.Values(s.Connectors)) {
			err := tx.Exec(`INSERT INTO served_connectors (connector, node, expires_at) VALUES (?, ?, ?)
				ON CONFLICT (connector, node) DO UPDATE SET expires_at = excluded.expires_at`, id, s.Node, At(at.Add(s.HoldsFor))).Error
			if err != nil {
				return err
			}
		}
		// Expired rows stay only for connectors that no node serves.
		err := tx.Exec(`DELETE FROM served_connectors WHERE expires_at <= ?
			AND connector IN (SELECT connector FROM served_connectors WHERE expires_at > ?)`, At(at), At(at)).Error
		if err != nil {
			return err
		}
		return tx.Raw(`SELECT connector, MAX(expires_at) AS until FROM served_connectors GROUP BY connector ORDER BY connector`).Scan(&rows).Error
	})
	if err != nil {
		return PresenceResult{}, err
	}
	return s.resultOf(rows, at), nil
}

// servedConnector is a connector and the moment until which some node serves it.
type servedConnector struct {
	Connector string
	Until     Millis
}

// resultOf compares the stored connectors with those that this node serves.
func (s ConnectorPresence) resultOf(rows []servedConnector, at time.Time) PresenceResult {
	var served PresenceResult
	for _, row := range rows {
		switch {
		case slices.Contains(s.Connectors, row.Connector):
		case row.Until <= At(at):
			served.Removed = append(served.Removed, row.Connector)
		case served.CheckAgainAt == 0 || row.Until < served.CheckAgainAt:
			served.CheckAgainAt = row.Until
		}
	}
	return served
}

// ReleaseConnectors shortens the announcements of a node that stops. They end after grace, the
// time in which its successor can start.
func (db *DB) ReleaseConnectors(ctx context.Context, node string, grace time.Duration, at time.Time) error {
	if err := refuseImpossible(node); err != nil {
		return fmt.Errorf("release connectors: %w", err)
	}
	until := At(at.Add(grace))
	return db.write(ctx, "release connectors", func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE served_connectors SET expires_at = ? WHERE node = ? AND expires_at > ?`, until, node, until).Error
	})
}

// removedBatch is the number of sessions of a removed connector that end in one transaction.
const removedBatch = 100

// EndConnectorSessions ends one batch of the sessions that were opened through a removed
// connector. Their online grants become invalid, and their clients get logout notices. If a node
// serves the connector again, nothing happens. It returns the number of ended sessions and
// whether the batch was full. After a batch that is not full, no session is left, and the
// connector's announcements are deleted. It records the event session.ended for each session, with the reason
// connector_removed.
func (db *DB) EndConnectorSessions(ctx context.Context, connector string, by By) (ended int, full bool, err error) {
	const reason = "connector_removed"
	if err := refuseImpossible(connector); err != nil {
		return 0, false, fmt.Errorf("end connector sessions: %w", err)
	}
	err = db.write(ctx, "end connector sessions", func(tx *gorm.DB) error {
		ended = 0
		var serves int64
		err := tx.Raw(`SELECT COUNT(*) FROM served_connectors WHERE connector = ? AND expires_at > ?`, connector, At(by.At)).Scan(&serves).Error
		if err != nil || serves > 0 {
			return err
		}
		var batch []Session
		err = tx.Raw(`SELECT s.id, s.user_id FROM sessions s JOIN users u ON u.id = s.user_id JOIN instance i ON i.id = 1
			WHERE s.connector = ? AND s.connector <> '' AND s.ended_at = 0 AND s.created_at > u.not_before AND s.created_at > i.not_before
			ORDER BY s.id LIMIT ?`, connector, removedBatch).Scan(&batch).Error
		if err != nil {
			return err
		}
		ended = len(batch)
		if ended < removedBatch {
			if err := tx.Exec(`DELETE FROM served_connectors WHERE connector = ?`, connector).Error; err != nil {
				return err
			}
		}
		for _, s := range batch {
			e := Event{UserID: s.UserID, SessionID: s.ID, Connector: connector, Reason: reason, From: by.From}
			if err := endSessionWithEvent(tx, e, by.At); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, ended == removedBatch && err == nil, err
}
