package storage

import (
	"context"
	"time"
)

// Session binds one browser to one user: single sign-on, the first-party cookies
// and the account pages. ID is the sid that clients see and proves nothing; the
// browser holds a handle of which only the hash is here.
type Session struct {
	ID         string
	HandleHash string
	UserID     string

	AuthTime Millis // when the user last proved who it is
	ACR      string
	AMR      []string
	Facts    []Fact

	Persistent    bool // "Keep me signed in"
	Agent         string
	Address       string
	IdleFor       time.Duration
	CreatedAt     Millis
	SeenAt        Millis
	IdleExpiresAt Millis
	ExpiresAt     Millis
	EndedAt       Millis
	EndReason     string
}

// FactKind names what a step of a sign-in found out.
type FactKind string

const (
	FactAuthenticated FactKind = "authenticated"
	FactChosen        FactKind = "chosen"  // the user picked this account
	FactAllowed       FactKind = "allowed" // consent given
	FactDenied        FactKind = "denied"  // consent refused
)

// Fact is what one step found out: when, and for which authorization request.
type Fact struct {
	Kind    FactKind `json:"k"`
	At      Millis   `json:"t"`
	Request string   `json:"r"` // the authorization request's id
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

// SignIn is the input of DB.SignIn.
type SignIn struct {
	UserID      string
	HandleHash  string // of the browser's new handle
	Replaces    string // hash of the handle the browser came with, "" for none
	Request     string // id of the request this answers
	ClientID    string // for the event
	ACR         string
	AMR         []string
	Persistent  bool
	IdleFor     time.Duration
	AbsoluteFor time.Duration

	// Rehash replaces the password hash OldHash by NewHash, if it is still that.
	OldHash, NewHash string
	// GiveBack undoes the reservation of this attempt.
	GiveBack Reservation
	From     Origin
}

// SignIn starts the browser's session, in one transaction: the session of
// Replaces goes on under the same id with the new handle if it is the same
// user's and alive (auth_time, acr, amr and lifetimes are set anew, the fact
// FactAuthenticated is added), and is ended if it is another user's. Event
// user.signed_in.
//
// ErrRevoked: the user is disabled or gone.
func (db *DB) SignIn(ctx context.Context, s SignIn, at time.Time) (Session, error) {
	panic("to build")
}

// SessionByHandle reads the live session of a handle with its user in one
// statement. Live: not ended, neither idle nor absolute expiry reached, user
// enabled, made after not_before of user and instance.
//
// ErrNotFound: there is none, or it is dead.
func (db *DB) SessionByHandle(ctx context.Context, handleHash string, at time.Time) (Session, User, error) {
	panic("to build")
}

// SessionsOf lists a user's live sessions, the latest seen first.
func (db *DB) SessionsOf(ctx context.Context, userID string, at time.Time) ([]Session, error) {
	panic("to build")
}

// AddFact notes what a step found out for a live session of this user. At most
// 16 facts are kept, the newest.
//
// ErrRevoked: the session is dead or another user's.
func (db *DB) AddFact(ctx context.Context, userID, sessionID string, f Fact, at time.Time) error {
	panic("to build")
}

// EndSession ends one session of one user; its online grants die with it by the
// join. Both ids must be set. Ending an ended one does nothing. Event session.ended.
func (db *DB) EndSession(ctx context.Context, userID, sessionID, reason string, from Origin, at time.Time) error {
	panic("to build")
}

// DisableUser switches a user off (ending all it has: not_before moves) or on
// again. ErrNotFound. Events user.disabled, user.enabled.
func (db *DB) DisableUser(ctx context.Context, userID string, off bool, from Origin, at time.Time) error {
	panic("to build")
}
