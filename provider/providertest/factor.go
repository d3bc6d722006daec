package providertest

import (
	"encoding/base32"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"signet/provider"
)

// Authenticator is the authenticator app of a person, with the recovery codes that the person
// wrote down.
type Authenticator struct {
	Secret string   // base32
	Codes  []string // as shown, xxxxx-xxxxx
}

// WithTrustedBrowsers lets people trust a browser for 30 days.
func WithTrustedBrowsers(c *provider.Config) { c.Lifetimes.TrustedBrowser = 30 * 24 * time.Hour }

var (
	shownSecret = regexp.MustCompile(`<code id="secret">([A-Z2-7 ]+)</code>`)
	shownCode   = regexp.MustCompile(`<li><code>([0-9a-z]{5}-[0-9a-z]{5})</code></li>`)
)

// AddAuthenticator adds an authenticator app on the pages of the account. The person must have
// signed in just now.
func (v *Visitor) AddAuthenticator(t *testing.T) Authenticator {
	t.Helper()
	page := v.ProveFirst(t, v.Get(t, v.Bed.Issuer+"/account/security/totp"))
	a := Authenticator{Secret: SecretOn(t, page)}
	done := v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", a.Code(t, v.Bed.Now()))
	a.Codes = CodesOn(done)
	if len(a.Codes) != 10 {
		t.Fatalf("%d recovery codes, want 10; status %d:\n%s", len(a.Codes), done.StatusCode, done.Body)
	}
	v.Bed.Advance(30 * time.Second) // so that the next code is a new one
	return a
}

// SecretOn returns the secret that the page shows.
func SecretOn(t *testing.T, page Stop) string {
	t.Helper()
	found := shownSecret.FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("no secret on %s (status %d):\n%s", page.At, page.StatusCode, page.Body)
	}
	secret := strings.ReplaceAll(found[1], " ", "")
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err != nil || len(raw) != 20 {
		t.Fatalf("the secret %q has %d bytes, %v, want 20", secret, len(raw), err)
	}
	return secret
}

// CodesOn returns the recovery codes that the page shows.
func CodesOn(page Stop) (codes []string) {
	for _, found := range shownCode.FindAllStringSubmatch(page.Body, -1) {
		codes = append(codes, found[1])
	}
	return codes
}

// Code returns the code that the app shows at this time.
func (a Authenticator) Code(t *testing.T, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(a.Secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// EnterCode enters a code on the page that asks for it.
func (v *Visitor) EnterCode(t *testing.T, page Stop, code string) Stop {
	t.Helper()
	return v.Submit(t, page.FormTo(t, "/login/factor", "", ""), "code", code)
}
