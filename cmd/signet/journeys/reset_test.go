package journeys_test

import "testing"

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
