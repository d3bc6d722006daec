package credential

import (
	"context"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"signet/federation/foreign"
	"signet/storage"
)

// defaultMinLength is how many characters a new password has at least if the settings
// do not say it.
const defaultMinLength = 10

const maxLength = 1024

// normalize gives the one form in which a password is hashed: NFC (RFC 8265,
// section 4.2), so that an é typed on another keyboard is the same é. Nothing else
// is folded: case, white space, zero-width and compatibility characters count as typed.
// What is not text, or is over 1024 characters, is no password.
func normalize(typed string) (string, bool) {
	// Before normalizing, which costs time by the byte: the longest decomposed
	// spelling of 1024 characters is shorter than this.
	if len(typed) > 16*maxLength || !foreign.IsStorable(typed) {
		return "", false
	}
	password := norm.NFC.String(typed)
	return password, utf8.RuneCountInString(password) <= maxLength
}

// MinLength is how many characters a new password has at least.
func (p *Passwords) MinLength() int { return p.minLength }

// Hash hashes a new password of that user, after checking that it may be one: see
// normalizeNew for the rules. Passwords that were set under other rules stay valid.
// ErrWeak, ErrBusy.
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
