package storage

import (
	"context"
	"slices"
	"time"
)

// Consent is what a user has allowed a client, remembered.
type Consent struct {
	UserID    string
	ClientID  string
	Scopes    []string
	Resources []string
	Claims    []string // names of claims asked for one by one
	GrantedAt Millis
	ExpiresAt Millis
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

// Consenting is the input of DB.AllowConsent.
type Consenting struct {
	Consent   Consent // what is added to what was allowed before
	SessionID string
	RequestID string
	Remember  bool // false: only the fact is written, for this one request
	From      Origin
}

// Consent reads what the user allows the client at that moment. ErrNotFound.
func (db *DB) Consent(ctx context.Context, userID, clientID string, at time.Time) (Consent, error) {
	panic("to build")
}

// AllowConsent adds to the remembered consent (if Remember) and notes FactAllowed
// for the request, in one transaction. Event consent.given.
//
// ErrRevoked: the session is dead or not this user's, or user or client are disabled.
func (db *DB) AllowConsent(ctx context.Context, c Consenting, at time.Time) error { panic("to build") }
