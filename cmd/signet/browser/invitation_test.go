package browser_test

import (
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestInvitation_InTheBrowser takes an invited person from the link to the first sign-in at the
// application, on the screen of a phone.
func TestInvitation_InTheBrowser(t *testing.T) {
	for _, javascript := range []bool{true, false} {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev := signettest.StartDev(t)
			operator := signettest.Instance{Env: []string{"SIGNET_ISSUER=" + dev.Issuer, "SIGNET_DATA_DIR=" + dev.Dir}}
			var made struct{ Link string }
			operator.Command(t, "", &made, "user", "invite", "zoe@example.com", "--name", "Zoe", "--email-verified", "--client", "demo", "--json")
			var saw struct {
				Addresses                              []string
				Asked, Name, Filled, Kept, Done, Again string
				UserInfo                               struct {
					Name, Email   string
					EmailVerified bool `json:"email_verified"`
				}
				Complaints []string
			}
			dev.Browse(t, "invitation.mjs", map[string]any{
				"javascript": javascript, "link": made.Link, "invited": "zoe@example.com", "chosen": "a wholly other sentence",
			}, &saw)
			if !strings.Contains(saw.Asked, "zoe@example.com") || saw.Filled != "zoe@example.com" || saw.Name != "Zoe" {
				t.Errorf("the page asks %q, with the user name %q and the name %q", saw.Asked, saw.Filled, saw.Name)
			}
			if saw.Kept != "Zoë <b>Newcomer</b>" {
				t.Errorf("after a refused password the name is %q", saw.Kept)
			}
			for _, address := range saw.Addresses[1:] {
				if strings.Contains(address, "link=") {
					t.Errorf("the address still has the link: %s", address)
				}
			}
			if !strings.Contains(saw.Done, "Your account is ready") {
				t.Errorf("afterwards the page says %q", saw.Done)
			}
			if u := saw.UserInfo; u.Name != "Zoë <b>Newcomer</b>" || u.Email != "zoe@example.com" || !u.EmailVerified {
				t.Errorf("the application sees %+v", u)
			}
			if !strings.Contains(saw.Again, "works only once") {
				t.Errorf("a second time the link says %q", saw.Again)
			}
			signettest.RefuseComplaints(t, saw.Complaints)
		})
	}
}
