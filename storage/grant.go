package storage

import (
	"context"
	"time"
)

// Grant is the root of every token a sign-in yields: user × client × session ×
// scopes. It lives while it is not revoked and not expired, its user and client
// are enabled, its session lives (unless it is offline), and it was made after
// not_before of user and instance: the SQL condition liveGrant.
type Grant struct {
	ID        string // gid
	UserID    string
	ClientID  string
	SessionID string

	Offline    bool
	FirstParty bool
	Scopes     []string
	Resources  []string
	Claims     string // the claims request parameter, JSON, as accepted; "" for none

	AuthTime     Millis
	ACR          string
	AMR          []string
	Confirmation string // cnf: the thumbprint a DPoP-bound grant is bound to

	Generation    int64
	RotatedAt     Millis
	IdleFor       time.Duration
	IdleExpiresAt Millis
	ExpiresAt     Millis
	CreatedAt     Millis
	RevokedAt     Millis
	RevokeReason  string
}

// Redemption is the input of DB.RedeemCode.
type Redemption struct {
	RequestID  string // what is spent
	CodeID     string // which of the codes of that request
	SpentUntil Millis // how long the spent row must be remembered
	Grant      Grant  // what is opened; its ID is set by the caller
	From       Origin
}

// RedeemCode spends an authorization code and opens the grant it stands for, in
// one transaction: the session is alive (and seen), the request id is spent, the
// grant is there. The caller has checked client, redirect URI and verifier.
//
// ErrReplayed: this code was spent before; the grant it opened and all its
// tokens are revoked then, committed (RFC 6749, section 4.1.2). Event
// grant.replayed. ErrExpired: a sibling code of the same request was spent;
// nothing is revoked. ErrRevoked: the user, the client or the session is gone.
func (db *DB) RedeemCode(ctx context.Context, r Redemption, at time.Time) (Grant, error) {
	panic("to build")
}

// SpendCode makes a code worthless without opening a grant: a wrong verifier from
// the right client, or an expired code. If that very code was redeemed before and
// replay is true, its grant is revoked and ErrReplayed returned, as in RedeemCode.
func (db *DB) SpendCode(ctx context.Context, requestID, codeID string, until Millis, replay bool, from Origin, at time.Time) error {
	panic("to build")
}

// LiveGrant reads a live grant with its user in one statement, and refuses it
// when the access token jti ("" to skip) has been spent by a revocation.
//
// ErrNotFound: there is none, it is dead, or the token is revoked.
func (db *DB) LiveGrant(ctx context.Context, id, jti string, at time.Time) (Grant, User, error) {
	panic("to build")
}

// RevokeGrant ends one grant. Revoking a dead one does nothing.
func (db *DB) RevokeGrant(ctx context.Context, id, reason string, from Origin, at time.Time) error {
	panic("to build")
}
