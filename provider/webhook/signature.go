package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"signet/federation"
)

// secretPrefix marks a secret of Standard Webhooks. The key follows in base64.
const secretPrefix = "whsec_"

// The sizes of a key in bytes.
const (
	shortestKey = 24
	longestKey  = 64
)

var errSecret = errors.New("is not whsec_ followed by 24 to 64 bytes in base64, such as the output of: echo whsec_$(openssl rand -base64 32)")

// Secret is the key with which events are signed. The zero value is no key.
type Secret struct{ text federation.Secret }

// ParseSecret checks a secret in the form of Standard Webhooks. The error does not contain the secret.
func ParseSecret(text string) (Secret, error) {
	encoded, marked := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !marked || err != nil || len(key) < shortestKey || len(key) > longestKey {
		return Secret{}, errSecret
	}
	return Secret{federation.NewSecret(string(key))}, nil
}

// IsSet reports whether there is a key.
func (s Secret) IsSet() bool { return s.text.Reveal() != "" }

// Reveal returns the key.
func (s Secret) Reveal() string { return s.text.Reveal() }

// sign returns the value of the header webhook-signature.
func (s Secret) sign(id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.text.Reveal()))
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
