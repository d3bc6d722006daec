package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ConnectedClient is an application that has access to a user's account.
type ConnectedClient struct {
	ClientID  string
	Scopes    []string `gorm:"serializer:signet_json"` // allowed and stored
	GrantedAt Millis   // zero: never asked (a first-party client, or one that skips consent)
	UsedAt    Millis   // when a live grant was last opened or refreshed; zero: there is no live grant
	Offline   bool     // a live grant stays valid after sign-out
}

// ConnectedClientsOf lists the applications with a stored consent or a live grant of the user,
// the last used first.
func (db *DB) ConnectedClientsOf(ctx context.Context, userID string, at time.Time) ([]ConnectedClient, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list connected clients: %w", err)
	}
	var list []ConnectedClient
	err := db.read(ctx, "list connected clients", func(q *gorm.DB) error {
		return q.Raw(`SELECT c.id AS client_id, COALESCE(k.scopes, '') AS scopes, COALESCE(k.granted_at, 0) AS granted_at,
				COALESCE(l.used_at, 0) AS used_at, COALESCE(l.offline, 0) = 1 AS offline
			FROM clients c
			LEFT JOIN consents k ON k.client_id = c.id AND k.user_id = ? AND k.expires_at > ?
			LEFT JOIN (SELECT g.client_id, MAX(g.rotated_at) AS used_at, MAX(CASE WHEN g.offline THEN 1 ELSE 0 END) AS offline
				FROM grants g WHERE g.user_id = ? AND ? GROUP BY g.client_id) l ON l.client_id = c.id
			WHERE k.client_id IS NOT NULL OR l.client_id IS NOT NULL
			ORDER BY used_at DESC, c.id`,
			userID, At(at), userID, liveGrant(at)).Scan(&list).Error
	})
	return list, err
}

// ClientsBySession lists, for each session ID of the user, the IDs of the clients with a live
// grant of that session, in order.
func (db *DB) ClientsBySession(ctx context.Context, userID string, at time.Time) (map[string][]string, error) {
	if err := refuseImpossible(userID); err != nil {
		return nil, fmt.Errorf("list clients of sessions: %w", err)
	}
	var pairs []struct{ SessionID, ClientID string }
	err := db.read(ctx, "list clients of sessions", func(q *gorm.DB) error {
		return q.Raw(`SELECT DISTINCT g.session_id, g.client_id FROM grants g WHERE g.user_id = ? AND ?
			ORDER BY g.session_id, g.client_id`, userID, liveGrant(at)).Scan(&pairs).Error
	})
	clients := map[string][]string{}
	for _, p := range pairs {
		clients[p.SessionID] = append(clients[p.SessionID], p.ClientID)
	}
	return clients, err
}

// ClientsOfSession lists the IDs of the clients that ever got a grant of a session, in order. The
// session may have ended: such a client may still show the person as signed in.
func (db *DB) ClientsOfSession(ctx context.Context, userID, sessionID string) ([]string, error) {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return nil, fmt.Errorf("list clients of a session: %w", err)
	}
	var clients []string
	err := db.read(ctx, "list clients of a session", func(q *gorm.DB) error {
		return q.Raw(`SELECT DISTINCT client_id FROM grants WHERE user_id = ? AND session_id = ? ORDER BY client_id`, userID, sessionID).Scan(&clients).Error
	})
	return clients, err
}

// WithdrawConsent deletes the consent of a user for a client and revokes the client's grants of
// the user, including offline grants. Codes that were issued before become invalid. It records the event
// consent.withdrawn.
//
// ErrNotFound: there was neither a consent nor a grant. The error of a check.
func (db *DB) WithdrawConsent(ctx context.Context, userID, clientID string, by By, checks ...UserCheck) error {
	if err := refuseImpossible(userID, clientID); err != nil {
		return fmt.Errorf("withdraw consent: %w", err)
	}
	w, finished := unfinished{Kind: consentWithdrawal, UserID: userID, ClientID: clientID, At: At(by.At)}, false
	err := db.write(ctx, "withdraw consent", func(tx *gorm.DB) error {
		err := db.checkUser(tx, userID, checks)
		if err != nil {
			return err
		}
		if w.Bound, err = lastGrantOf(tx, userID, by.At); err != nil {
			return err
		}
		var ended int64
		if ended, finished, err = w.begin(tx); err != nil {
			return err
		}
		forgotten, err := changeOne(tx, `UPDATE consents SET scopes = '', resources = '', claims = '', expires_at = 0, withdrawn_at = ?
			WHERE user_id = ? AND client_id = ? AND expires_at > 0`, At(by.At), userID, clientID)
		if err != nil {
			return err
		}
		if ended == 0 && !forgotten {
			return ErrNotFound
		}
		if !forgotten { // a client that skips consent has grants but no consent
			if err := tx.Exec(`INSERT INTO consents (user_id, client_id, withdrawn_at) VALUES (?, ?, ?)
				ON CONFLICT (user_id, client_id) DO UPDATE SET withdrawn_at = excluded.withdrawn_at`, userID, clientID, At(by.At)).Error; err != nil {
				return err
			}
		}
		return record(tx, Event{Type: ConsentWithdrawn, Outcome: Succeeded, UserID: userID, ClientID: clientID, From: by.From}, by.At)
	})
	if err == nil && !finished {
		db.finish(ctx, w)
	}
	return err
}
