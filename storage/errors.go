package storage

import (
	"fmt"
	"time"

	"signet/storage/engine"
)

// What a use case can answer besides its result. Compare with errors.Is; the
// error that carries one of them names the step that failed and no secret.
var (
	// ErrNotFound: there is no such row, or it is dead and the caller may not know.
	ErrNotFound = engine.ErrNotFound
	// ErrConflict: a unique value (an e-mail, a client id) is taken.
	ErrConflict = engine.ErrConflict
	// ErrExpired: it was good once, and its time is over.
	ErrExpired = engine.NewVerdict("expired")
	// ErrReplayed: a thing that may happen once was tried again. What it had
	// yielded is revoked, and that is committed, when this is returned.
	ErrReplayed = engine.NewVerdict("used before")
	// ErrRevoked: the user, the client, the session or the grant has ended.
	ErrRevoked = engine.NewVerdict("revoked")
	// ErrUnproven: nobody has proven the user's address, and something is attached to
	// the account; *UnprovenError lists it.
	ErrUnproven = engine.NewVerdict("address not proven")
	// ErrUnavailable: the database is gone, full or locked for too long; nothing
	// was done, or the outcome is unknown. The answer is 503, never "invalid".
	ErrUnavailable = engine.ErrUnavailable
)

// RevokedError is ErrRevoked with what it was that ended.
type RevokedError struct{ Code string }

// Error is that of ErrRevoked, with what ended.
func (e *RevokedError) Error() string { return ErrRevoked.Error() + ": " + e.Code }

// Unwrap gives ErrRevoked.
func (e *RevokedError) Unwrap() error { return ErrRevoked }

// Cause is the stable code of what ended: user_disabled, client_disabled,
// grant_revoked, grant_expired, session_ended, session_expired, consent_withdrawn, or ended_everywhere
// (all of the user, or of the instance, up to a moment).
func (e *RevokedError) Cause() string { return e.Code }

// ThrottledError refuses an attempt that is over a limit.
type ThrottledError struct {
	RetryAfter time.Duration // until the next attempt may succeed
}

// errThrottled makes a refusal over a limit a verdict.
var errThrottled = engine.NewVerdict("throttled")

// Unwrap gives a verdict of the engine.
func (e *ThrottledError) Unwrap() error { return errThrottled }

// Error tells when to retry.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many attempts: retry after %s", e.RetryAfter)
}

// Seconds is RetryAfter in whole seconds, at least one, as the header of that name
// has it.
func (e *ThrottledError) Seconds() int {
	return int(e.RetryAfter/time.Second) + 1
}
