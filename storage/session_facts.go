package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// FactKind names the result of a step of a sign-in.
type FactKind string

const (
	FactAuthenticated FactKind = "authenticated" // the user authenticated
	FactArrived       FactKind = "arrived"       // the user came back from an upstream that may not have authenticated them again
	FactDeclined      FactKind = "declined"      // the user does not want to authenticate again
	FactNotNow        FactKind = "not_now"       // the user does not want a sign-in with a stronger acr
	FactChosen        FactKind = "chosen"        // the user chose this account
	FactAllowed       FactKind = "allowed"       // consent given
	FactDenied        FactKind = "denied"        // consent refused

	// FactAddressProved: the user opened a link that was mailed to the address of the account. It
	// belongs to no request.
	FactAddressProved FactKind = "address_proved"
)

// Fact is the result of one step, with its time and its authorization request.
type Fact struct {
	Kind    FactKind `json:"k"`
	At      Millis   `json:"t"`
	Request string   `json:"r"` // ID of the authorization request

	Connector string `json:"c,omitempty"` // FactArrived: the connector
	Proved    Millis `json:"p,omitempty"` // FactArrived: when the person authenticated at the upstream; 0: unknown
}

// Has reports whether the session has a fact of this kind for that request.
func (s Session) Has(kind FactKind, request string) bool {
	for _, f := range s.Facts {
		if f.Kind == kind && f.Request == request {
			return true
		}
	}
	return false
}

// AuthenticatedWithin reports whether the user authenticated no longer than age ago. It is false
// for age zero, which demands a new sign-in, and if the time is unknown.
func (s Session) AuthenticatedWithin(age time.Duration, at time.Time) bool {
	return within(s.AuthTime, age, at)
}

func within(moment Millis, age time.Duration, at time.Time) bool {
	return moment != 0 && age > 0 && at.Sub(moment.Time()) <= age
}

// Decision returns the latest answer to the consent question of a request that was given after
// since: FactAllowed, FactDenied, or "" for no answer.
func (s Session) Decision(request string, since Millis) FactKind {
	decision, when := FactKind(""), since+1
	for _, f := range s.Facts {
		if f.Request == request && (f.Kind == FactAllowed || f.Kind == FactDenied) && f.At >= when {
			decision, when = f.Kind, f.At
		}
	}
	return decision
}

// mostFacts is how many facts a session stores. A browser that starts more requests loses its
// own oldest facts.
const mostFacts = 16

// AddFact adds a fact to a live session of this user. The session keeps its newest 16 facts.
//
// ErrRevoked: the session has ended or is another user's.
func (db *DB) AddFact(ctx context.Context, userID, sessionID string, f Fact, at time.Time) error {
	if err := refuseImpossible(userID, sessionID); err != nil {
		return fmt.Errorf("add fact: %w", err)
	}
	return db.write(ctx, "add fact", func(tx *gorm.DB) error {
		if _, err := touchSession(tx, userID, sessionID, "", at); err != nil {
			return err
		}
		return addFact(tx, sessionID, f)
	})
}

// addFact adds a fact to a session. The caller holds the lock of its row.
func addFact(tx *gorm.DB, sessionID string, f Fact) error {
	var s Session
	if err := tx.Select("facts").Where("id = ?", sessionID).Take(&s).Error; err != nil {
		return err
	}
	facts, err := engine.JSONText(newestFacts(append(s.Facts, f)))
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE sessions SET facts = ? WHERE id = ?`, facts, sessionID).Error
}

func newestFacts(facts []Fact) []Fact { return facts[max(0, len(facts)-mostFacts):] }
