package keyboard_test

import (
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestKeyboard_EveryFlowNeedsNoMouse goes through every flow with only the keyboard. After a
// refusal the focus is on the reason. Every focused element is visible, and the order of the
// focus is that of the page.
func TestKeyboard_EveryFlowNeedsNoMouse(t *testing.T) {
	for _, javascript := range signettest.JavaScript() {
		t.Run(map[bool]string{true: "with JavaScript", false: "without JavaScript"}[javascript], func(t *testing.T) {
			dev, clock := signettest.StartDevWithClock(t)
			var saw struct {
				Problems             []string
				Begins, Texts        map[string]string
				Shown, LinkLeadsTo   string
				Kept                 bool
				Opened, SessionsLeft int
				Complaints           []string
			}
			dev.Browse(t, "keyboard.mjs", map[string]any{
				"javascript": javascript, "clock": clock, "next": "a wholly other sentence", "admin": dev.Administrator(t),
			}, &saw)
			for _, problem := range saw.Problems {
				t.Error(problem)
			}
			for page, want := range map[string]string{
				"sign in": "username", "sign in, refused": "problem", "demo, denied": "problem", "profile, refused": "problem",
				"sign in again": "password", "password, refused": "problem", "revoke, refused": "problem",
				"add an app, refused": "problem", "code": "code", "code, refused": "problem",
			} {
				if got := saw.Begins[page]; got != want {
					t.Errorf("%s: the focus begins at %q, want %q", page, got, want)
				}
			}
			if saw.LinkLeadsTo != "password" || !saw.Kept || saw.Opened != 1 || saw.SessionsLeft != 1 || javascript && saw.Shown != "text" {
				t.Errorf("got %+v", saw)
			}
			if javascript && !strings.Contains(saw.Texts["key"], "Key ring") {
				t.Errorf("the security key has the name %q", saw.Texts["key"])
			}
			for what, want := range map[string]string{
				"denied": "access_denied", "name": "Keyboard User", "appsLeft": "None", "connected": "Google", "disconnected": "None",
				"stepUp": "Confirm", "stayed": dev.Issuer, "upstream": "ada.example@gmail.com", "tested": "nothing prevents a sign-in",
				"rotated": "The keys were rotated", "revoked": "no mouse",
			} {
				if got := saw.Texts[what]; !strings.Contains(got, want) {
					t.Errorf("%s: got %q, want %q in it", what, got, want)
				}
			}
			signettest.RefuseComplaints(t, saw.Complaints)
		})
	}
}
