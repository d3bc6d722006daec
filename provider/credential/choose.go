package credential

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"signet/federation/foreign"
	"signet/storage"
)

// MinLength is how many characters a password has at least.
const MinLength = 8

const maxLength = 1024

// normalize gives the one form in which a password is hashed: NFC (RFC 8265,
// section 4.2), so that an é typed on another keyboard is the same é. Nothing else
// is folded: case, white space, zero-width and compatibility characters count as typed.
// What is not text, or is over 1024 characters, is no password.
func normalize(typed string) (string, bool) {
	// Before normalizing, which costs time by the byte: the longest decomposed
	// spelling of 1024 characters is shorter than this.
	if len(typed) > 16*maxLength || !foreign.IsPlain(typed) {
		return "", false
	}
	password := norm.NFC.String(typed)
	return password, utf8.RuneCountInString(password) <= maxLength
}

// Hash hashes a new password, after checking that it may be one (NFC, 8 to 1024
// characters, not the address itself, not among the commonest). ErrWeak, ErrBusy.
func (p *Passwords) Hash(ctx context.Context, password string, user storage.User) (string, error) {
	password, err := acceptable(password, user)
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

// acceptable asks for length, not for kinds of characters (NIST SP 800-63B,
// section 5.1.1.2).
func acceptable(typed string, user storage.User) (string, error) {
	password, ok := normalize(typed)
	switch {
	case !ok:
		return "", fmt.Errorf("%w: use at most %d characters, all of them text", ErrWeak, maxLength)
	case utf8.RuneCountInString(password) < MinLength:
		return "", fmt.Errorf("%w: use at least %d characters", ErrWeak, MinLength)
	case isAddress(password, user):
		return "", fmt.Errorf("%w: choose one that is not the e-mail address", ErrWeak)
	case isCommon(password):
		return "", fmt.Errorf("%w: it is among the first that attackers try, choose another", ErrWeak)
	}
	return password, nil
}

func isAddress(password string, user storage.User) bool {
	for _, email := range []string{user.Email, user.EmailCanonical} {
		local, _, _ := strings.Cut(email, "@")
		for _, known := range []string{email, local} {
			if known != "" && strings.EqualFold(password, strings.TrimSpace(known)) {
				return true
			}
		}
	}
	return false
}

// common lists the commonest passwords of 8 characters and more, one per line, in
// lower case.
//
//go:embed common.txt
var common string

var commonest = sync.OnceValue(func() map[string]struct{} {
	set := map[string]struct{}{}
	for line := range strings.Lines(common) {
		set[strings.TrimSpace(line)] = struct{}{}
	}
	return set
})

func isCommon(password string) bool {
	_, found := commonest()[strings.ToLower(password)]
	return found
}
