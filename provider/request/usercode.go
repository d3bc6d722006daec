package request

import (
	"crypto/rand"
	"fmt"
	"strings"
	"unicode"
)

// UserCode is the code that a device shows and its user enters (RFC 8628, section 6.1): eight
// letters without a hyphen. They are consonants, so that they spell no words, and differ from
// each other in small print. 20^8 codes are 34.6 bits (section 5.1).
type UserCode string

const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
	// maxTypedCode is the longest text, in bytes, that is read as a user code.
	maxTypedCode = 64
)

// lookAlike are digits that people read instead of a letter of the code. No code has digits.
var lookAlike = map[rune]rune{'2': 'Z', '5': 'S', '6': 'G', '8': 'B'}

// NewUserCode returns a random user code.
func NewUserCode() UserCode {
	code := make([]byte, 0, userCodeLength)
	for len(code) < userCodeLength {
		var random [2 * userCodeLength]byte
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			// 240 is the largest multiple of 20 in a byte: larger values would favor some letters.
			if b < 240 && len(code) < userCodeLength {
				code = append(code, userCodeLetters[int(b)%len(userCodeLetters)])
			}
		}
	}
	return UserCode(code)
}

// ReadUserCode reads a user code as people type it: in lower case, with spaces or hyphens at any
// place or none, and with digits that look like a letter. It returns false for a text that is no
// user code.
func ReadUserCode(typed string) (UserCode, bool) {
	if len(typed) > maxTypedCode {
		return "", false
	}
	var code strings.Builder
	for _, r := range typed {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			continue
		}
		r = unicode.ToUpper(r)
		if letter, ok := lookAlike[r]; ok {
			r = letter
		}
		if !strings.ContainsRune(userCodeLetters, r) {
			return "", false
		}
		code.WriteRune(r)
	}
	return UserCode(code.String()), code.Len() == userCodeLength
}

// String returns the code as people see it: WDJB-MJHT.
func (c UserCode) String() string {
	if len(c) != userCodeLength {
		return string(c)
	}
	return string(c[:userCodeLength/2] + "-" + c[userCodeLength/2:])
}

const userCodePurpose = "user code"

// HashUserCode returns the hash under which a new user code is stored. keys.ErrNoKey.
func (c *Requests) HashUserCode(code UserCode) (string, error) {
	hash, err := c.Ring.Fingerprint(userCodePurpose, string(code))
	if err != nil {
		return "", fmt.Errorf("hash user code: %w", err)
	}
	return hash, nil
}

// UserCodeHashes returns the hashes under which a user code may be stored. keys.ErrNoKey.
func (c *Requests) UserCodeHashes(code UserCode) ([]string, error) {
	hashes, err := c.Ring.Fingerprints(userCodePurpose, string(code))
	if err != nil {
		return nil, fmt.Errorf("hash user code: %w", err)
	}
	return hashes, nil
}
