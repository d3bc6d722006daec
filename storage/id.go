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

// NewID makes a random identifier with a prefix, such as "usr_": 130 bits from
// crypto/rand in 26 lower-case letters and digits.
func NewID(prefix string) string {
	return prefix + strings.ToLower(rand.Text())
}

// NewTimedID makes a random identifier that sorts by the time it was made: nine
// digits of Unix milliseconds in base 32 and 130 bits from crypto/rand. Rows with
// such a key come to stand side by side in its index, so that a commit of many
// writes few pages and an old index costs no more than a young one.
func NewTimedID(at time.Time) string {
	return strconv.FormatInt(at.UnixMilli(), 32) + rand.Text()
}

// SecretHash gives a secret, a handle or a token of ours as its column has it: SHA-256 in
// hex. They are 130 random bits or more, so that one SHA-256 is enough: a slow hash would
// only be a way to burn our CPU.
func SecretHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// longestID bounds what is looked up: longer than any identifier that is made or
// accepted, and short enough for an index of either database.
const longestID = 512

// refuseImpossible refuses identifiers that no row can have: empty, too long, not UTF-8
// or with a NUL (which SQLite stores and PostgreSQL refuses). An empty one that
// reached a condition could stand for any row. The error is ErrNotFound.
func refuseImpossible(ids ...string) error {
	for _, id := range ids {
		if id == "" || len(id) > longestID || !foreign.IsStorable(id) {
			return fmt.Errorf("empty or malformed identifier: %w", ErrNotFound)
		}
	}
	return nil
}
