package storage

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// FactKind names what a step of a sign-in found out.
type FactKind string

const (
	FactAuthenticated FactKind = "authenticated" // proved anew who they are
	FactArrived       FactKind = "arrived"       // came through an upstream that was not seen to ask
	FactDeclined      FactKind = "declined"      // does not want to prove it anew
	FactChosen        FactKind = "chosen"        // the user picked this account
	FactAllowed       FactKind = "allowed"       // consent given
	FactDenied        FactKind = "denied"        // consent refused
)

// Fact is what one step found out: when, and for which authorization request.
type Fact struct {
	Kind    FactKind `json:"k"`
	At      Millis   `json:"t"`
	Request string   `json:"r"` // the authorization request's id

	Connector string `json:"c,omitempty"` // FactArrived: through which
	Proved    Millis `json:"p,omitempty"` // FactArrived: when, as the upstream says; 0: it does not say
}

// Has reports whether a step of this kind answered that request.
func (s Session) Has(kind FactKind, request string) bool {
	for _, f := range s.Facts {
		if f.Kind == kind && f.Request == request {
			return true
		}
	}
	return false
}

// AuthenticatedWithin reports whether the user proved who they are no longer than
// age ago. An age of zero is never met by time: it asks for a sign-in of its own.
// Neither is any age if nobody knows when that was.
func (s Session) AuthenticatedWithin(age time.Duration, at time.Time) bool {
	return within(s.AuthTime, age, at)
}

func within(moment Millis, age time.Duration, at time.Time) bool {
	return moment != 0 && age > 0 && at.Sub(moment.Time()) <= age
}

// Decision is the latest answer to the consent question of a request, given
// after since: FactAllowed, FactDenied, or "" if it was not answered.
func (s Session) Decision(request string, since Millis) FactKind {
	decision, when := FactKind(""), since+1
	for _, f := range s.Facts {
		if f.Request == request && (f.Kind == FactAllowed || f.Kind == FactDenied) && f.At >= when {
			decision, when = f.Kind, f.At
		}
	}
	return decision
}

// mostFacts bounds a session's facts: a browser that starts request after request
// pushes out its own oldest.
const mostFacts = 16

// AddFact notes what a step found out for a live session of this user. At most
// 16 facts are kept, the newest.
//
// ErrRevoked: the session is dead or another user's.
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

// addFact adds to a session whose row lock the caller holds.
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
