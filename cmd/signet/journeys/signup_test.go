package journeys_test

import "testing"

// A new person gets from the authorization request of an application over the mail to the first
// sign-in there. If another browser opens the link, it is not signed in; the account is ready, and
// the browser that asked goes on with a sign-in.
func TestSignUp_FromTheApplicationOverTheMailAndBack(t *testing.T) {
	s := start(t, "SIGNET_SIGNUP=open")
	list := walks("signup")
	seen := s.take(t, "signup.mjs", list)
	for _, w := range list {
		t.Run(w.Name, func(t *testing.T) {
			saw := seen[w.Name]
			saw.want(t, map[string]string{
				"focus of create account":          "email",
				"focus of create account, refused": "problem",
				"focus of new account":             "name",
				"focus of new account, refused":    "problem",
				"address":                          "/link/signup",
				"person":                           `"amr":["pwd"],"email":"` + w.Email + `"`,
				"second person":                    `"email":"second-` + w.Email + `"`,
			})
			if w.Wide {
				saw.want(t, map[string]string{"mail to a known address": "has one already"})
			}
			saw.wantFields(t, map[string]string{
				"create account: email":     "email username",
				"new account: name":         "text name",
				"new account: username":     "text username",
				"new account: new-password": "password new-password",
			})
		})
	}
}
