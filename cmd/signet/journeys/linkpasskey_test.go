package journeys_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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

// A person with a passkey gets another link of the operator. Its page asks for the passkey first.
func TestLinkForAPasskey_AsksForThePasskeyFirst(t *testing.T) {
	s := start(t)
	list := slices.DeleteFunc(walks("linkpasskeyfactor"), func(w walk) bool { return !w.JavaScript })
	operator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var printed struct{ Link string }
		s.Command(t, "", &printed, "user", "link", r.FormValue("user"), "--for", "passkey", "--json")
		_, _ = io.WriteString(w, printed.Link)
	}))
	t.Cleanup(operator.Close)
	for i := range list {
		w := &list[i]
		s.Command(t, "", nil, "user", "create", "--email", w.Email, "--email-verified", "--json")
		w.Link = operator.URL + "?" + url.Values{"user": {w.Email}}.Encode()
	}
	for name, saw := range s.take(t, "linkpasskeyfactor.mjs", list) {
		t.Run(name, func(t *testing.T) {
			saw.want(t, map[string]string{
				"who helps":         "Ask the operator of this service",
				"on the new device": "1",
				"person":            `"amr":["pop","user","mfa"`,
			})
		})
	}
}
