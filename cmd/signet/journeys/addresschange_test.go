package journeys_test

import "testing"

// A person changes the address on the account pages and confirms it with the mail at the new one.
// The mail at the old one undoes the change: everybody is signed out, and the old address signs in.
func TestAddressChange_FromTheAccountOverBothMails(t *testing.T) {
	s := start(t)
	list := walks("change")
	for _, w := range list {
		s.createUser(t, w.Email, "--email-verified")
	}
	seen := s.take(t, "addresschange.mjs", list)
	for _, w := range list {
		t.Run(w.Name, func(t *testing.T) {
			saw := seen[w.Name]
			saw.want(t, map[string]string{
				"focus of change, refused":       "problem",
				"confirm":                        "new-" + w.Email,
				"address":                        "/account/email?done=changed",
				"new address":                    "new-" + w.Email,
				"person with the new address":    `"email":"new-` + w.Email + `"`,
				"undo":                           w.Email,
				"person with the former address": `"email":"` + w.Email + `"`,
			})
			saw.wantFields(t, map[string]string{"change: email": "email email"})
		})
	}
}
