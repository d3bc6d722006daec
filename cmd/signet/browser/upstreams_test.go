package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// upstreamVisit holds the observations of one sign-in through an upstream.
type upstreamVisit struct {
	Buttons          []string
	Asked            int // number of consent pages
	Claims, UserInfo map[string]any
}

// TestUpstreams_InTheBrowser signs in through the pretend Google and GitHub of `signet dev`,
// in a real browser and without any setup.
func TestUpstreams_InTheBrowser(t *testing.T) {
	for _, javascript := range signettest.JavaScript() {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev := signettest.StartDev(t)
			var saw struct {
				Visits                 map[string]upstreamVisit
				Denied, Prove, Refused string
				Connect                string
				Linked, Unlinked       []string
				Cookies                []signettest.BrowserCookie
				Complaints             []string
			}
			dev.Browse(t, "upstreams.mjs", map[string]any{"javascript": javascript}, &saw)
			for name, want := range map[string]struct {
				buttons, email, name string
				asked                int
			}{
				"google":       {"Sign in with Google, Sign in with GitHub", "ada.example@gmail.com", "Ada Example", 1},
				"github":       {"Sign in with Google Last used, Sign in with GitHub", "octo@octo.example", "Octo Cat", 1},
				"again":        {"Sign in with GitHub Last used, Sign in with Google", "octo@octo.example", "Octo Cat", 0},
				"proven":       {"", signettest.DemoEmail, "", 1},
				"proven again": {"Sign in with Google Last used, Sign in with GitHub", signettest.DemoEmail, "", 0},
				"linked":       {"Sign in with Google Last used, Sign in with GitHub", signettest.DemoEmail, "", 0},
				"password":     {"Sign in with Google Last used, Sign in with GitHub", signettest.DemoEmail, "", 0},
			} {
				got := saw.Visits[name]
				var buttons []string
				for _, b := range got.Buttons {
					buttons = append(buttons, strings.Join(strings.Fields(b), " "))
				}
				if all := strings.Join(buttons, ", "); all != want.buttons {
					t.Errorf("%s: the buttons are %q, want %q", name, all, want.buttons)
				}
				if got.UserInfo["email"] != want.email || got.UserInfo["email_verified"] != true || (want.name != "" && got.UserInfo["name"] != want.name) {
					t.Errorf("%s: userinfo says %v, want %s, verified", name, got.UserInfo, want.email)
				}
				if got.Asked != want.asked {
					t.Errorf("%s: asked for consent %d times, want %d", name, got.Asked, want.asked)
				}
				if amr := fmt.Sprint(got.Claims["amr"]); strings.Contains(amr, "pwd") != slices.Contains([]string{"proven", "password"}, name) {
					t.Errorf("%s: amr is %s", name, amr)
				}
			}
			subject := func(name string) any { return saw.Visits[name].Claims["sub"] }
			if subject("again") != subject("github") || subject("proven") != subject("password") || subject("proven again") != subject("password") || subject("linked") != subject("password") {
				t.Error("somebody who came twice is two users")
			}
			if subject("google") == subject("github") || subject("google") == subject("password") {
				t.Error("two people are one user")
			}
			if !slices.Equal(saw.Linked, []string{"Google", "GitHub"}) || !slices.Equal(saw.Unlinked, []string{"GitHub"}) {
				t.Errorf("connected: %q, and after one was disconnected %q", saw.Linked, saw.Unlinked)
			}
			for _, want := range []struct{ what, text, part string }{
				{"the page of a denial", saw.Denied, "You weren’t signed in"},
				{"the page of a denial", saw.Denied, "upstream_denied"},
				{"the page of a denial", saw.Denied, "Go back"},
				{"the page that asks for the account's password", saw.Prove, "Is this account yours?"},
				{"the page that asks whether to connect", saw.Connect, "to " + signettest.DemoEmail + "?"},
				{"a wrong password there", saw.Refused, "The email address or the password isn’t right"},
			} {
				if !strings.Contains(want.text, want.part) {
					t.Errorf("%s: got %q, want %q in it", want.what, want.text, want.part)
				}
			}
			for _, c := range saw.Cookies {
				if strings.HasPrefix(c.Name, "signet_up_") || strings.HasPrefix(c.Name, "signet_for_") {
					t.Errorf("the attempt %s outlives its callback", c.Name)
				}
			}
			signettest.RefuseComplaints(t, saw.Complaints)
		})
	}
}
