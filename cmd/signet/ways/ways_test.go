package ways_test

import (
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestWays_WithoutPasswordUpstreamOrCookies tests a person with two upstreams and no
// password; a person with only GitHub, which must prove its identity again; old tabs; and a
// browser that blocks cookies.
func TestWays_WithoutPasswordUpstreamOrCookies(t *testing.T) {
	dev := signettest.StartDev(t)
	var saw struct {
		First, Third struct{ Sub string }
		Second       struct {
			Prove, Asked, Sub string
			Ways              struct{ Password, Google, GitHub int }
		}
		Alone struct {
			Title, Why, Help, Back string
			Forms                  int
		}
		Tabs       struct{ Back, Tab string }
		Blocked    []string
		Kept       int
		Complaints []string
	}
	dev.Browse(t, "ways.mjs", map[string]any{}, &saw)
	if saw.First.Sub == "" || saw.Second.Sub != saw.First.Sub || saw.Third.Sub != saw.First.Sub {
		t.Errorf("one person is %q, %q and %q", saw.First.Sub, saw.Second.Sub, saw.Third.Sub)
	}
	if w := saw.Second.Ways; w.Password != 0 || w.Google != 1 || w.GitHub != 0 || !strings.Contains(saw.Second.Prove, "Is this account yours?") {
		t.Errorf("the proof is asked with the ways %+v:\n%s", w, saw.Second.Prove)
	}
	if want := "Connect the GitHub account “ada” to ada.example@gmail.com?"; saw.Second.Asked != want {
		t.Errorf("asked %q, want %q", saw.Second.Asked, want)
	}
	if a := saw.Alone; a.Title != "Confirm it’s you" || a.Forms != 0 || a.Back != "/account/sessions" ||
		!strings.Contains(a.Help, "GitHub can’t confirm") || !strings.Contains(a.Help, "Ask the operator of this service to give your account a password") {
		t.Errorf("with GitHub alone: %+v", a)
	}
	if saw.Tabs.Back != "/account" || saw.Tabs.Tab != "/account/sessions" {
		t.Errorf("tabs: %+v", saw.Tabs)
	}
	if len(saw.Blocked) != 2 || saw.Kept != 0 {
		t.Fatalf("%d pages, %d cookies", len(saw.Blocked), saw.Kept)
	}
	for _, page := range saw.Blocked {
		if !strings.Contains(page, "Your browser blocks cookies here") || !strings.Contains(page, "Allow cookies for this site") || !strings.Contains(page, "cookies_blocked") {
			t.Errorf("with cookies blocked the page says:\n%s", page)
		}
	}
	signettest.RefuseComplaints(t, saw.Complaints)
}
