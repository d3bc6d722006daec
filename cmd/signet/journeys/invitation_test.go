package journeys_test

import "testing"

// An invited person creates the account and goes on to the application. The operator hands
// over half of the links, which prove no address; the others are mailed.
func TestInvitation_FromTheLinkToTheApplication(t *testing.T) {
	s := start(t)
	list := walks("invitation")
	for i := range list {
		w := &list[i]
		args := []string{"user", "invite", w.Email, "--name", "Ada Example", "--client", s.client.ID, "--json"}
		if w.Wide == w.JavaScript {
			args = append(args, "--no-mail")
		}
		var printed struct{ Link string }
		s.Command(t, "", &printed, args...)
		if w.Wide == w.JavaScript {
			w.Link = printed.Link
		}
	}
	seen := s.take(t, "invitation.mjs", list)
	for _, w := range list {
		t.Run(w.Name, func(t *testing.T) {
			saw := seen[w.Name]
			verified := map[bool]string{true: `"verified":true`, false: `"verified":false`}[w.Link == ""]
			saw.want(t, map[string]string{
				"name":                         "Ada Example",
				"name after the refusal":       "Ada <b>Lovelace</b>",
				"focus of invitation":          "name",
				"focus of invitation, refused": "problem",
				"address":                      "/link/invitation",
				"person":                       verified,
			})
			saw.wantFields(t, map[string]string{
				"invitation: name":         "text name",
				"invitation: username":     "text username",
				"invitation: new-password": "password new-password",
			})
		})
	}
}
