package storage

import (
	"fmt"
	"time"

	"signet/storage/engine"
)

// Errors of use cases. Compare with errors.Is. The error that wraps one of them names the
// failed step and contains no secret.
var (
	// ErrNotFound: there is no such row, or it is no longer valid and the caller may not learn
	// that.
	ErrNotFound = engine.ErrNotFound
	// ErrConflict: a unique value, such as an email address or a client ID, is taken.
	ErrConflict = engine.ErrConflict
	// ErrExpired: it was valid once, and has expired.
	ErrExpired = engine.NewVerdict("expired")
	// ErrReplayed: something that may happen once was tried again. Everything that the first use
	// opened is revoked, and the revocation is committed.
	ErrReplayed = engine.NewVerdict("used before")
	// ErrRevoked: the user, the client, the session or the grant has ended.
	ErrRevoked = engine.NewVerdict("revoked")
	// ErrUnproven: the user's address is not verified, and something is attached to the account, or
	// is to be. *UnprovenError lists what is attached.
	ErrUnproven = engine.NewVerdict("email address not verified")
	// ErrUnavailable: the database is unreachable, full or locked for too long. Either nothing
	// was done, or the outcome is unknown. Answer 503, never "invalid".
	ErrUnavailable = engine.ErrUnavailable
)

// RevokedError is ErrRevoked with the code of the cause.
type RevokedError struct{ Code string }

// Error returns the text of ErrRevoked, followed by the code.
func (e *RevokedError) Error() string { return ErrRevoked.Error() + ": " + e.Code }

// Unwrap returns ErrRevoked.
func (e *RevokedError) Unwrap() error { return ErrRevoked }

// Cause returns the stable code: user_disabled, client_disabled, grant_revoked, grant_expired,
// session_ended, session_expired, consent_withdrawn, or ended_everywhere (everything of the user
// or of the instance ended up to a moment).
func (e *RevokedError) Cause() string { return e.Code }

// ThrottledError refuses an attempt because a limit is exceeded.
type ThrottledError struct {
	RetryAfter time.Duration // until the next attempt may succeed
}

// errThrottled makes a ThrottledError a verdict for the engine.
var errThrottled = engine.NewVerdict("throttled")

// Unwrap returns a verdict of the engine.
func (e *ThrottledError) Unwrap() error { return errThrottled }

// Error contains the time after which to retry.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many attempts: retry after %s", e.RetryAfter)
}

// Seconds returns the value for the Retry-After header: RetryAfter in whole seconds plus one, so
// that it is never zero.
func (e *ThrottledError) Seconds() int {
	return int(e.RetryAfter/time.Second) + 1
}
