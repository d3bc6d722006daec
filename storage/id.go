package storage

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signet/federation/foreign"
)

// NewID returns a random identifier with a prefix, such as "usr_": 130 bits from crypto/rand in
// 26 lower-case letters and digits.
func NewID(prefix string) string {
	return prefix + strings.ToLower(rand.Text())
}

// NewTimedID returns a random identifier that sorts by its time: nine digits of Unix
// milliseconds in base 32, then 130 bits from crypto/rand. New rows with such keys are neighbors
// in the index. A commit of many rows therefore writes few pages, and inserts stay as fast when
// the index grows.
func NewTimedID(at time.Time) string {
	return strconv.FormatInt(at.UnixMilli(), 32) + rand.Text()
}

// SecretHash returns the stored form of a secret, handle or token that Signet created: SHA-256
// in hexadecimal. These have at least 130 random bits, so one SHA-256 is enough. A slow hash
// would only let attackers use up our CPU.
func SecretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// longestID is the longest identifier that is looked up, in bytes. It is longer than any
// identifier that Signet creates or accepts, and short enough for an index of both databases.
const longestID = 512

// refuseImpossible refuses identifiers that no row can have: empty ones, too long ones, those
// that are not UTF-8, and those with a NUL (which SQLite stores and PostgreSQL refuses). An
// empty identifier in a condition could match any row. The error is ErrNotFound.
func refuseImpossible(ids ...string) error {
	for _, id := range ids {
		if id == "" || len(id) > longestID || !foreign.IsStorable(id) {
			return fmt.Errorf("empty or malformed identifier: %w", ErrNotFound)
		}
	}
	return nil
}
