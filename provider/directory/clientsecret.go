package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"signet/storage"
)

// The time during which two secrets of a client are valid.
const (
	DefaultOverlap = "24h" // if the operator names none
	LongestOverlap = 90 * 24 * time.Hour
)

var (
	// ErrPublicClient: the client does not authenticate, so it has no secret.
	ErrPublicClient = errors.New("it does not authenticate, so it has no secret")
	// ErrKeyClient: the client authenticates with a key of its own, so it has no secret.
	ErrKeyClient = errors.New("it authenticates with a key of its own (private_key_jwt), so it has no secret")
)

// NewSecret makes a client secret of 256 random bits, in base64url.
func NewSecret() string { return randomText(32) }

// RotateSecret makes a new secret for a client. It returns the client as stored and the
// secret, which cannot be read again. The previous secret stays valid for overlap (0 to
// LongestOverlap). If the client already has two valid secrets, the older one ends at once.
// Event client.secret_replaced.
//
// Errors: ErrPublicClient, ErrKeyClient, storage.ErrNotFound.
func (d *Directory) RotateSecret(ctx context.Context, id string, overlap time.Duration, from storage.Origin, checks ...storage.ClientCheck) (rotated storage.Client, secret string, err error) {
	if overlap < 0 || overlap > LongestOverlap {
		return rotated, "", fmt.Errorf("rotate secret: an overlap of %s is not between 0 and %s", overlap, LongestOverlap)
	}
	secret = NewSecret()
	if err := d.db.ReplaceSecret(ctx, id, storage.SecretHash(secret), overlap, d.by(from), append(checks, checkHasSecret)...); err != nil {
		return rotated, "", refusalOf(err, ErrPublicClient, ErrKeyClient)
	}
	rotated, err = d.db.Client(ctx, id)
	return rotated, secret, err
}

// refusalOf returns the refusal that err wraps, without the steps that led to it; err if there is none.
func refusalOf(err error, refusals ...error) error {
	for _, refusal := range refusals {
		if errors.Is(err, refusal) {
			return refusal
		}
	}
	return err
}

// checkHasSecret refuses a client that has no use for a secret.
func checkHasSecret(c storage.Client) error {
	switch {
	case c.Public():
		return ErrPublicClient
	case !c.HasSecret():
		return ErrKeyClient
	}
	return nil
}

// DeleteSecret deletes one secret of a client, so that it is invalid at once. Event
// client.secret_deleted. Errors: storage.ErrNotFound.
func (d *Directory) DeleteSecret(ctx context.Context, id, secretID string, from storage.Origin, checks ...storage.ClientCheck) error {
	return d.db.DeleteSecret(ctx, id, secretID, d.by(from), checks...)
}

// SecretDocument is the JSON form of a client secret, without the secret.
type SecretDocument struct {
	ID        string     `json:"id"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"absent: never"`
}

// DescribeSecrets returns the JSON form of the valid secrets of a client, the newest first; never nil.
func (d *Directory) DescribeSecrets(c storage.Client) []SecretDocument {
	list, at := []SecretDocument{}, storage.At(d.now())
	for _, s := range c.Secrets {
		if s.Hash != "" && (s.ExpiresAt == 0 || s.ExpiresAt > at) {
			list = append(list, SecretDocument{s.ID(), s.CreatedAt.Time(), optionalTime(s.ExpiresAt)})
		}
	}
	return list
}

// SecretMatches reports whether given is one of the two secrets of a client. It compares in
// constant time. An expired or empty secret never matches.
func SecretMatches(secrets [2]storage.ClientSecret, given string, at time.Time) bool {
	presented := []byte(storage.SecretHash(given))
	match := 0
	for _, secret := range secrets {
		equal := subtle.ConstantTimeCompare(presented, []byte(secret.Hash))
		if secret.ExpiresAt != 0 && secret.ExpiresAt <= storage.At(at) {
			equal = 0
		}
		match |= equal
	}
	return match == 1 && given != ""
}

// randomText returns n random bytes in base64url.
func randomText(n int) string {
	raw := make([]byte, n)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}
