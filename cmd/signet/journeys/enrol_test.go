package journeys_test

import "testing"

// At a server that requires a second factor, a person without one adds an app within the sign-in: over
// the mailed link and the recovery codes to the application.
func TestEnrol_FromTheSignInOverTheMailToTheApplication(t *testing.T) {
	s := start(t, "SIGNET_FACTORS_REQUIRED=all")
	list := walks("enrol")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	for name, saw := range s.take(t, "enrol.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.want(t, map[string]string{"why": "requires more than one proof", "person": `"amr":["pwd","otp","mfa"]`})
			saw.wantFields(t, map[string]string{"add an app: code": "text one-time-code"})
		})
	}
}
