package storage

import (
	"context"
	"time"
)

// KeyState is a stage in the life of a key: see DESIGN section 6.
type KeyState string

const (
	KeyNext    KeyState = "next"    // published, not signing
	KeyActive  KeyState = "active"  // signing; one per line
	KeyRetired KeyState = "retired" // published while a token of it may live
	KeyRevoked KeyState = "revoked" // refused everywhere
	KeyGone    KeyState = "gone"    // its private half is destroyed; the public one serves id_token_hint
)

// InternalLine is the line of secrets that is never published.
const InternalLine = "internal"

// Key is a signing key of a published line, or a secret of the internal one. The
// private half is sealed by the caller; storage never sees it.
type Key struct {
	ID     string // kid
	Line   string // the algorithm, or InternalLine
	State  KeyState
	Public string // JWK, JSON; "" on the internal line
	Sealed []byte

	CreatedAt    Millis // published since
	ActivatedAt  Millis
	RetiredAt    Millis
	GoneAt       Millis // a retired key: when it leaves the JWKS; a gone one: when it left
	RevokedAt    Millis
	RevokeReason string
}

// Keys reads all keys of all lines, the oldest first.
func (db *DB) Keys(ctx context.Context) ([]Key, error) { panic("to build") }

// StartLines inserts the first keys (an active one and a next one) of every line
// that has none at all; a line that exists is left alone. Of several processes
// that start together one wins each line. Moves the change counter if anything
// was inserted, and gives the number of keys that were. Event key.created.
func (db *DB) StartLines(ctx context.Context, first []Key, from Origin, at time.Time) (int, error) {
	panic("to build")
}
