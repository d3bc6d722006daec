package credential

import (
	"context"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"signet/federation/foreign"
	"signet/storage"
)

// defaultMinLength is the minimum length of a new password, in characters, if the settings
// have none.
const defaultMinLength = 10

const maxLength = 1024 // characters

// normalize returns the form of a password that is hashed: NFC (RFC 8265, section 4.2), so
// that an é is the same on every keyboard. It changes nothing else: case, white space,
// zero-width and compatibility characters count as typed. It returns false if the password
// is not text or has more than 1024 characters.
func normalize(typed string) (string, bool) {
	// Normalizing takes time for each byte, so the length is checked first. The longest
	// decomposed spelling of 1024 characters is shorter than this limit.
	if len(typed) > 16*maxLength || !foreign.IsStorable(typed) {
		return "", false
	}
	password := norm.NFC.String(typed)
	return password, utf8.RuneCountInString(password) <= maxLength
}

// MinLength returns the minimum length of a new password, in characters.
func (p *Passwords) MinLength() int { return p.minLength }

// Hash checks a new password of the user by the rules of normalizeNew and hashes it.
// ErrWeak, ErrBusy. Passwords from the time of other rules stay valid: Check does not
// apply the rules.
func (p *Passwords) Hash(ctx context.Context, password string, user storage.User) (string, error) {
	password, err := p.normalizeNew(password, user)
	if err != nil {
		return "", err
	}
	var hashed string
	err = p.queue.do(ctx, func() error {
		hashed = p.hash(password).String()
		return nil
	})
	return hashed, err
}
