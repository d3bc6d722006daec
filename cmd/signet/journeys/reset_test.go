package journeys_test

import (
	"slices"
	"testing"
)

// After a forgotten password, a person gets back into the application: from its sign-in page over the
// mail to the sign-in with the new password. The old one does not work any more.
func TestReset_FromForgottenPasswordToTheApplication(t *testing.T) {
	s := start(t)
	list := walks("reset")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "reset.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.want(t, map[string]string{
				"focus of forgot password":          "email",
				"focus of forgot password, refused": "problem",
				"focus of new password, refused":    "problem",
				"focus of sign in, refused":         "problem",
				"address":                           "/link/reset",
				"person":                            `"amr":["pwd"]`,
			})
			saw.wantFields(t, map[string]string{
				"sign in: username":          "text username webauthn",
				"sign in: password":          "password current-password",
				"forgot password: email":     "email username",
				"new password: username":     "text username",
				"new password: new-password": "password new-password",
			})
		})
	}
}

// A person with only a passkey sets a password by a mailed link, and is asked for the passkey after it.
// Without JavaScript there are no passkeys.
func TestReset_PasskeyIsAskedForAfterTheNewPassword(t *testing.T) {
	s := start(t)
	list := slices.DeleteFunc(walks("resetpasskey"), func(w walk) bool { return !w.JavaScript })
	for i := range list {
		w := &list[i]
		s.Command(t, "", nil, "user", "create", "--email", w.Email, "--email-verified", "--json")
		var printed struct{ Link string }
		s.Command(t, "", &printed, "user", "link", w.Email, "--for", "passkey", "--json")
		w.Link = printed.Link
	}
	for name, saw := range s.take(t, "resetpasskey.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.want(t, map[string]string{
				"address":             "/login",
				"who helps":           "Ask the operator of this service",
				"without the passkey": "/login",
				"person":              `"amr":["pwd","pop","user","mfa"`,
			})
		})
	}
}
