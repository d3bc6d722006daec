package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Consent is a stored permission: the scopes, resources and claims that a user has allowed a
// client.
type Consent struct {
	UserID    string
	ClientID  string
	Scopes    []string `gorm:"serializer:signet_json"`
	Resources []string `gorm:"serializer:signet_json"`
	Claims    []string `gorm:"serializer:signet_json"` // names of individually requested claims
	GrantedAt Millis
	ExpiresAt Millis

	// WithdrawnAt is when the user last withdrew the consent. Codes and answers from before that
	// moment are invalid, even if the user has consented again since.
	WithdrawnAt Millis
}

// Covers reports whether the consent includes all these scopes, resources and claims.
func (c Consent) Covers(scopes, resources, claims []string) bool {
	return containsAll(c.Scopes, scopes) && containsAll(c.Resources, resources) && containsAll(c.Claims, claims)
}

// IsOutdated reports whether the client has changed itself since the user consented, and no
// administrator has approved the change. The user agreed to another name and host then.
func (c Consent) IsOutdated(client Client) bool {
	return client.IsUnapproved() && c.GrantedAt < client.UpdatedAt
}

func containsAll(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// ConsentAnswer is the input of DB.AllowConsent and DB.DenyConsent.
type ConsentAnswer struct {
	Consent   Consent // is added to the stored consent
	SessionID string
	RequestID string
	Remember  bool // false: the answer is stored for this request only
	From      Origin
}

// Consent reads the consent of a user for a client that is valid at that moment. If the consent
// was withdrawn and not given again, only WithdrawnAt is set.
//
// ErrNotFound: there is no consent.
func (db *DB) Consent(ctx context.Context, userID, clientID string, at time.Time) (Consent, error) {
	if err := refuseImpossible(userID, clientID); err != nil {
		return Consent{}, fmt.Errorf("read consent: %w", err)
	}
	var c Consent
	err := db.read(ctx, "read consent", func(q *gorm.DB) error {
		return q.Where("user_id = ? AND client_id = ?", userID, clientID).Take(&c).Error
	})
	if err != nil || c.ExpiresAt > At(at) {
		return c, err
	}
	if c.WithdrawnAt == 0 {
		return Consent{}, fmt.Errorf("read consent: %w", ErrNotFound)
	}
	return Consent{UserID: userID, ClientID: clientID, WithdrawnAt: c.WithdrawnAt}, nil
}

// AllowConsent adds FactAllowed for the request to the session and, if Remember is set, adds to
// the stored consent. It records the event consent.given.
//
// ErrRevoked: the session has ended or is not this user's, or the user or the client is
// disabled.
func (db *DB) AllowConsent(ctx context.Context, c ConsentAnswer, at time.Time) error {
	if err := refuseImpossible(c.Consent.UserID, c.Consent.ClientID, c.SessionID, c.RequestID); err != nil {
		return fmt.Errorf("allow consent: %w", err)
	}
	return db.write(ctx, "allow consent", func(tx *gorm.DB) error {
		// Locked because two sessions of a user may consent at once, and each adds to the row that
		// it reads.
		if err := db.lockRow(tx, userRow, c.Consent.UserID, forUpdate); err != nil {
			return err
		}
		if _, err := touchSession(tx, c.Consent.UserID, c.SessionID, c.Consent.ClientID, at); err != nil {
			return err
		}
		if err := addFact(tx, c.SessionID, Fact{Kind: FactAllowed, At: At(at), Request: c.RequestID}); err != nil {
			return err
		}
		if c.Remember {
			if err := rememberConsent(tx, c.Consent, at); err != nil {
				return err
			}
		}
		return record(tx, c.event(ConsentGiven, Succeeded), at)
	})
}

// DenyConsent records in the session that the person denied the request (FactDenied). A stored consent stays. It records the event
// consent.denied.
//
// ErrRevoked: the session has ended or is not this user's.
func (db *DB) DenyConsent(ctx context.Context, c ConsentAnswer, at time.Time) error {
	if err := refuseImpossible(c.Consent.UserID, c.Consent.ClientID, c.SessionID, c.RequestID); err != nil {
		return fmt.Errorf("deny consent: %w", err)
	}
	return db.write(ctx, "deny consent", func(tx *gorm.DB) error {
		if _, err := touchSession(tx, c.Consent.UserID, c.SessionID, "", at); err != nil {
			return err
		}
		if err := addFact(tx, c.SessionID, Fact{Kind: FactDenied, At: At(at), Request: c.RequestID}); err != nil {
			return err
		}
		return record(tx, c.event(ConsentDenied, Refused), at)
	})
}

func (c ConsentAnswer) event(kind EventType, outcome Outcome) Event {
	return Event{
		Type: kind, Outcome: outcome, UserID: c.Consent.UserID, ClientID: c.Consent.ClientID, SessionID: c.SessionID, From: c.From,
		Detail: map[string]any{"scopes": c.Consent.Scopes, "resources": c.Consent.Resources, "claims": c.Consent.Claims, "remembered": c.Remember},
	}
}

// rememberConsent adds to the stored consent, if that has not expired.
func rememberConsent(tx *gorm.DB, c Consent, at time.Time) error {
	var before Consent
	err := tx.Where("user_id = ? AND client_id = ? AND expires_at > ?", c.UserID, c.ClientID, At(at)).Take(&before).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	scopes, err := engine.JSONText(union(before.Scopes, c.Scopes))
	if err != nil {
		return err
	}
	resources, err := engine.JSONText(union(before.Resources, c.Resources))
	if err != nil {
		return err
	}
	claims, err := engine.JSONText(union(before.Claims, c.Claims))
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO consents (user_id, client_id, scopes, resources, claims, granted_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, resources = excluded.resources,
			claims = excluded.claims, granted_at = excluded.granted_at, expires_at = excluded.expires_at`,
		c.UserID, c.ClientID, scopes, resources, claims, At(at), c.ExpiresAt).Error
}

// union returns the members of both lists, each once, in the order of their first occurrence.
func union(have, more []string) []string {
	list := slices.Clone(have)
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// withdrawnSince reports whether the user has withdrawn the consent at or after that moment.
func withdrawnSince(tx *gorm.DB, userID, clientID string, since Millis) (bool, error) {
	var one int64
	return selectWithdrawn.QueryRow(tx, []any{&one}, userID, clientID, since)
}

var selectWithdrawn = engine.NewStatement(`SELECT 1 FROM consents
	WHERE user_id = ? AND client_id = ? AND withdrawn_at > 0 AND withdrawn_at >= ?`)
