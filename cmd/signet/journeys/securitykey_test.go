package journeys_test

import (
	"strings"
	"testing"
)

// A person adds a security key that verifies nobody and stores no account. Afterwards the application
// gets a sign-in only with the key, or with a recovery code. Without JavaScript the page says what is
// needed.
func TestSecurityKey_FromTheAccountToTheApplication(t *testing.T) {
	s := start(t)
	list := walks("securitykey")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "securitykey.mjs", list) {
		t.Run(name, func(t *testing.T) {
			if strings.HasSuffix(name, "without JavaScript") {
				saw.want(t, map[string]string{"what is missing": "JavaScript"})
				return
			}
			saw.want(t, map[string]string{
				"codes":                  "10",
				"stored in the key":      "false",
				"added twice":            "This key belongs to your account already.",
				"person":                 `"amr":["pwd","pop","mfa"]`,
				"person without the key": `"amr":["pwd","mfa"]`,
			})
			saw.wantFields(t, map[string]string{"key: code": "text off"})
		})
	}
}
