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

// Consent is what a user has allowed a client, remembered.
type Consent struct {
	UserID    string
	ClientID  string
	Scopes    []string `gorm:"serializer:signet_json"`
	Resources []string `gorm:"serializer:signet_json"`
	Claims    []string `gorm:"serializer:signet_json"` // names of claims asked for one by one
	GrantedAt Millis
	ExpiresAt Millis

	// WithdrawnAt is when the user last took it back: codes and answers from
	// before are worth nothing, whatever was allowed since.
	WithdrawnAt Millis
}

// Covers reports whether all of it was allowed before.
func (c Consent) Covers(scopes, resources, claims []string) bool {
	return containsAll(c.Scopes, scopes) && containsAll(c.Resources, resources) && containsAll(c.Claims, claims)
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
	Consent   Consent // what is added to what was allowed before
	SessionID string
	RequestID string
	Remember  bool // false: only the fact is written, for this one request
	From      Origin
}

// Consent reads what the user allows the client at that moment: only the moment
// of its withdrawal, if that was the last of it. ErrNotFound: there is none.
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

// AllowConsent adds to the remembered consent (if Remember) and notes FactAllowed
// for the request, in one transaction. Event consent.given.
//
// ErrRevoked: the session is dead or not this user's, or user or client are disabled.
func (db *DB) AllowConsent(ctx context.Context, c ConsentAnswer, at time.Time) error {
	if err := refuseImpossible(c.Consent.UserID, c.Consent.ClientID, c.SessionID, c.RequestID); err != nil {
		return fmt.Errorf("allow consent: %w", err)
	}
	return db.write(ctx, "allow consent", func(tx *gorm.DB) error {
		// Two sessions of a user may consent at once: each adds to what it reads.
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
			if err := remember(tx, c.Consent, at); err != nil {
				return err
			}
		}
		return record(tx, c.event(ConsentGiven, Succeeded), at)
	})
}

// DenyConsent notes FactDenied for the request, in one transaction with event
// consent.denied. What was allowed before stays.
//
// ErrRevoked: the session is dead or not this user's.
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

// remember adds to what was allowed before and has not expired.
func remember(tx *gorm.DB, c Consent, at time.Time) error {
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

// union lists what is in either, each once, in the order of their first mention.
func union(have, more []string) []string {
	list := slices.Clone(have)
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// withdrawnSince reports whether the user has taken its consent back at or after
// that moment.
func withdrawnSince(tx *gorm.DB, userID, clientID string, since Millis) (bool, error) {
	var one int64
	return selectWithdrawn.QueryRow(tx, []any{&one}, userID, clientID, since)
}

var selectWithdrawn = engine.NewStatement(`SELECT 1 FROM consents
	WHERE user_id = ? AND client_id = ? AND withdrawn_at > 0 AND withdrawn_at >= ?`)
