package factor

import (
	"crypto/rand"
	"strings"

	"signet/provider/keys"
)

// Recovery codes have no letter that looks like a digit or another letter: Crockford's alphabet of
// 32 characters. Ten of them have 50 random bits.
const (
	recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	recoveryLength   = 10
	recoveryCount    = 10
)

// NewCodes makes ten recovery codes of a user. texts are for the user; hashes are the form in
// which they are stored.
func NewCodes(ring *keys.Ring, userID string) (texts []string, hashes [][]byte, err error) {
	for range recoveryCount {
		var random [recoveryLength]byte
		rand.Read(random[:])
		code := make([]byte, recoveryLength)
		for i, b := range random {
			code[i] = recoveryAlphabet[b%32]
		}
		hash, err := ring.RecoveryCodeHash(userID, string(code))
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, string(code[:recoveryLength/2])+"-"+string(code[recoveryLength/2:]))
		hashes = append(hashes, hash)
	}
	return texts, hashes, nil
}

// kind is the kind of a typed code.
type kind int

const (
	unusable kind = iota
	appCode
	recoveryCode
)

// read returns the kind of a typed code, and the code in its usual form. Spaces and hyphens do not
// count. In a recovery code, capitals count as small letters, and letters that look like digits
// as these.
func read(typed string) (string, kind) {
	if len(typed) > 64 {
		return "", unusable
	}
	code := strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\t", "").Replace(typed)
	if len(code) == digits.Length() && strings.Trim(code, "0123456789") == "" {
		return code, appCode
	}
	code = strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
	if len(code) == recoveryLength && strings.Trim(code, recoveryAlphabet) == "" {
		return code, recoveryCode
	}
	return "", unusable
}
