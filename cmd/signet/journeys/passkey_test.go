package journeys_test

import (
	"strings"
	"testing"
)

// A person adds a passkey, and signs in to the application with the button and with autofill. A
// device forgets a passkey that the account does not have. Without JavaScript the pages offer no
// passkey, and say that JavaScript is needed.
func TestPasskey_FromTheAccountToTheApplication(t *testing.T) {
	s := start(t)
	list := walks("passkey")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "passkey.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.wantFields(t, map[string]string{"sign-in: username": "text username webauthn"})
			if strings.HasSuffix(name, "without JavaScript") {
				saw.want(t, map[string]string{"button": "false", "what is missing": "JavaScript"})
				return
			}
			saw.want(t, map[string]string{
				"not made":                       "No passkey was made.",
				"focus of add a passkey, locked": "add",
				"on the device":                  "1",
				"made twice":                     "This device has a passkey",
				"name":                           "My phone",
				"not used":                       "No passkey was used.",
				"focus of sign-in, locked":       "passkey",
				"answered by the button":         "required",
				"person":                         `"amr":["pop","user"]`,
				"kept":                           "true",
				"answered to confirm":            "required",
				"confirmed":                      `"amr":["pop","user"]`,
				"answered by autofill":           "conditional",
				"person by autofill":             `"amr":["pop","user"]`,
				"person after a wrong passkey":   `"amr":["pwd"]`,
			})
		})
	}
}
