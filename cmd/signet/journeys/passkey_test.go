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
				"person":                         `"amr":["pop","user","mfa"]`,
				"kept":                           "true",
				"answered to confirm":            "required",
				"confirmed":                      `"amr":["pop","user","mfa"]`,
				"answered by autofill":           "conditional",
				"person by autofill":             `"amr":["pop","user","mfa"]`,
				"known by the device":            "@passkey.example",
				"person after a wrong passkey":   `"amr":["pwd"]`,
			})
		})
	}
}

// A page that was open for longer than its challenge lives still takes a passkey, with the button and
// with autofill. If the sign-in has expired too, the page begins anew. Nobody loses what they write.
func TestPasskey_PageThatWasOpenForLong(t *testing.T) {
	s := start(t, "SIGNET_LIFETIMES_REQUEST=2h")
	list := walks("passkeyold")[:1]
	s.createUser(t, list[0].Email, "--email-verified")
	for _, saw := range s.take(t, "passkeyold.mjs", list) {
		saw.want(t, map[string]string{
			"made too late":        "0",
			"button":               `"amr":["pop","user","mfa"]`,
			"button: answered":     "required",
			"confirm":              `"amr":["pop","user","mfa"]`,
			"confirm: answered":    "required",
			"autofill":             `"amr":["pop","user","mfa"]`,
			"autofill: answered":   "conditional",
			"begun anew":           `"amr":["pop","user","mfa"]`,
			"begun anew: answered": "required",
			"kept while writing":   "somebody",
		})
	}
}

// After a sign-in with a password, a browser makes a passkey by itself. If it refuses, or does not answer,
// the person gets to the application all the same, and so does a person without JavaScript.
func TestPasskey_MadeByTheBrowser(t *testing.T) {
	s := start(t, "SIGNET_PASSKEYS_CONDITIONAL_CREATE=true")
	list := walks("passkeymade")[:2]
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "passkeymade.mjs", list) {
		t.Run(name, func(t *testing.T) {
			for _, how := range []string{"as Chromium does", "refuses", "waits", "makes"} {
				saw.want(t, map[string]string{how: `"amr":["pwd"]`})
			}
			if strings.HasSuffix(name, "without JavaScript") {
				saw.want(t, map[string]string{"passkeys": "You have no passkey yet."})
				return
			}
			saw.want(t, map[string]string{
				"mediation": "conditional", "refuses: on the device": "0", "waits: on the device": "0", "makes: on the device": "1",
				"passkeys": "Your browser added it by itself",
			})
		})
	}
}
