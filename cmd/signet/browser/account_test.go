package browser_test

import (
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestAccount_InTheBrowser shows and changes the data of an account in a real browser, and
// moves the clock of the server between the steps.
func TestAccount_InTheBrowser(t *testing.T) {
	for _, javascript := range []bool{true, false} {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev, clock := signettest.StartDevWithClock(t)
			var saw struct {
				Asked, Sessions, ThisDevice, SessionsLeft, OtherIsOut, Out, In int
				Name, DemoName, Apps, AppsLeft, DemoAfter                      string
				StepUp, Why, Interrupted, Finished, Refused, Changed           string
				Complaints                                                     []string
			}
			dev.Browse(t, "account.mjs", map[string]any{"javascript": javascript, "clock": clock, "next": "a wholly other sentence"}, &saw)
			for _, want := range []struct {
				what      string
				got, want any
			}{
				{"the account asks for a sign-in", saw.Asked, 1},
				{"the name that was saved", saw.Name, "Demo <b>Person</b>"},
				{"the name at the application", saw.DemoName, "Demo <b>Person</b>"},
				{"sessions of two browsers", saw.Sessions, 2},
				{"sessions marked as this device", saw.ThisDevice, 1},
				{"sessions after the others were ended", saw.SessionsLeft, 1},
				{"the other browser is asked to sign in", saw.OtherIsOut, 1},
				{"signed out everywhere", saw.Out, 1},
				{"session cookies after signing in with the new password", saw.In, 1},
			} {
				if want.got != want.want {
					t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
				}
			}
			for _, want := range []struct{ what, text, part string }{
				{"connected apps", saw.Apps, "demo"},
				{"connected apps after the withdrawal", saw.AppsLeft, "None"},
				{"the demo's refresh after the withdrawal", saw.DemoAfter, "invalid_grant"},
				{"the page of a step-up", saw.StepUp, "Confirm"},
				{"why the page of a step-up asks", saw.Why, "before you change your password"},
				{"why a form that lay open is interrupted", saw.Interrupted, "before you connect another account"},
				{"the account that was connected after it", saw.Finished, "GitHub"},
				{"a wrong current password", saw.Refused, "isn’t your current password"},
				{"the changed password", saw.Changed, "assword"},
			} {
				if !strings.Contains(strings.ToLower(want.text), strings.ToLower(want.part)) {
					t.Errorf("%s: got %q, want %q in it", want.what, want.text, want.part)
				}
			}
			signettest.RefuseComplaints(t, saw.Complaints)
		})
	}
}
