package factor

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Most authenticator apps know only this kind of codes: six digits by HMAC-SHA-1, a new one every
// 30 seconds (RFC 6238, section 4).
const (
	period     = 30 * time.Second
	digits     = otp.DigitsSix
	algorithm  = otp.AlgorithmSHA1
	secretSize = 20 // bytes; RFC 4226, section 4, R6
)

// NewSecret makes the secret of an authenticator app.
func NewSecret() []byte {
	secret := make([]byte, secretSize)
	rand.Read(secret)
	return secret
}

// SecretText returns the secret as people type it into an app: base32 without padding.
func SecretText(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// SecretURL returns the otpauth URL with which an app takes over the secret. issuer and account are
// names that the app shows; a colon in them is left out, because it divides the two. The kind of
// the codes is left out too: it is the one that apps assume.
func SecretURL(secret []byte, issuer, account string) string {
	clean := strings.NewReplacer(":", "")
	issuer, account = clean.Replace(issuer), clean.Replace(account)
	return "otpauth://totp/" + url.PathEscape(issuer) + ":" + url.PathEscape(account) + "?secret=" + SecretText(secret) +
		"&issuer=" + strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20") // some apps show a plus sign
}

// Step returns the step for which the code of an app is correct now: the present one, the one
// before or the one after, because the clock of a phone may be off (RFC 6238, section 5.2). 0:
// none.
func Step(secret []byte, code string, at time.Time) int64 {
	found := int64(0)
	now := at.Unix() / int64(period.Seconds())
	for step := now - 1; step <= now+1; step++ {
		want, err := hotp.GenerateCodeCustom(SecretText(secret), uint64(step), hotp.ValidateOpts{Digits: digits, Algorithm: algorithm})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found
}

// ConfirmedStep is Step for a code as a person typed it.
func ConfirmedStep(secret []byte, typed string, at time.Time) int64 {
	code, kind := read(typed)
	if kind != appCode {
		return 0
	}
	return Step(secret, code, at)
}
