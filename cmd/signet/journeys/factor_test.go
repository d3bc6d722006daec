package journeys_test

import "testing"

// A person adds an authenticator app. Afterwards the application gets a sign-in only with a code of
// the app, with a recovery code, or in a browser that the person trusts.
func TestFactor_FromTheAppToTheApplication(t *testing.T) {
	s := start(t, "SIGNET_LIFETIMES_TRUSTED_BROWSER=30d")
	list := walks("factor")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "factor.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.want(t, map[string]string{
				"focus of add an app, refused": "problem",
				"focus of code":                "code",
				"focus of code, refused":       "problem",
				"focus of recovery code":       "code",
				"codes":                        "10",
				"person":                       `"amr":["pwd","otp","mfa"]`,
				"person after recovery":        `"amr":["pwd","mfa"]`,
				"person in a trusted browser":  `"amr":["pwd"]`,
			})
			saw.wantFields(t, map[string]string{
				"add an app: code":    "text one-time-code",
				"code: code":          "text one-time-code",
				"recovery code: code": "text off",
			})
		})
	}
}
