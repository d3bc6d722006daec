package journeys_test

import (
	"strings"
	"testing"
)

// A locked-out person gets a link from the operator, adds a passkey, and signs in to the
// application with it. Without JavaScript the page says that JavaScript is needed.
func TestLinkForAPasskey_FromTheLinkToTheApplication(t *testing.T) {
	s := start(t)
	list := walks("linkpasskey")
	for i := range list {
		w := &list[i]
		s.createUser(t, w.Email, "--email-verified")
		var printed struct{ Link string }
		s.Command(t, "", &printed, "user", "link", w.Email, "--for", "passkey", "--json")
		w.Link = printed.Link
	}
	for name, saw := range s.take(t, "linkpasskey.mjs", list) {
		t.Run(name, func(t *testing.T) {
			if strings.HasSuffix(name, "without JavaScript") {
				saw.want(t, map[string]string{"button": "false", "what is missing": "JavaScript"})
				return
			}
			saw.want(t, map[string]string{
				"not made":      "No passkey was made.",
				"address":       "/link/passkey?done=passkey",
				"on the device": "1",
				"person":        `"amr":["pop","user"`,
				"answered":      "required",
			})
		})
	}
}
