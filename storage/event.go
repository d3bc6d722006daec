package storage

import (
	"context"
	"time"
)

// Origin tells where an act came from, for the audit events.
type Origin struct {
	RequestID string
	Address   string
	Agent     string
	Actor     string // who did it: a subject, "cli", or "" for the user of the event
}

// EventType is a noun and what happened to it.
type EventType string

// Outcome tells how it ended.
type Outcome string

const (
	Succeeded Outcome = "success"
	Refused   Outcome = "refused"
)

// The events there are. An operator's filter names them, so they never change.
const (
	UserCreated      EventType = "user.created"
	UserDisabled     EventType = "user.disabled"
	UserEnabled      EventType = "user.enabled"
	UserSignedIn     EventType = "user.signed_in"
	UserSignInFailed EventType = "user.sign_in_failed"
	PasswordChanged  EventType = "password.changed"
	ClientCreated    EventType = "client.created"
	ClientUpdated    EventType = "client.updated"
	ClientDisabled   EventType = "client.disabled"
	ClientEnabled    EventType = "client.enabled"
	SessionEnded     EventType = "session.ended"
	ConsentGiven     EventType = "consent.given"
	ConsentDenied    EventType = "consent.denied"
	GrantReplayed    EventType = "grant.replayed"
	GrantRevoked     EventType = "grant.revoked"
	KeyCreated       EventType = "key.created"
)

// Event is one line of the audit log. It never holds a secret.
type Event struct {
	ID        string
	At        Millis
	Type      EventType
	Outcome   Outcome
	Reason    string // a stable code
	UserID    string
	ClientID  string
	SessionID string
	GrantID   string
	Connector string
	From      Origin
	Detail    map[string]any
}

// RecordEvent appends one event that no use case writes by itself, such as a
// refused sign-in of a known user.
func (db *DB) RecordEvent(ctx context.Context, e Event, at time.Time) error { panic("to build") }

// Events lists the newest events first, at most limit.
func (db *DB) Events(ctx context.Context, limit int) ([]Event, error) { panic("to build") }
