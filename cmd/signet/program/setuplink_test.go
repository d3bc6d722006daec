package program_test

import (
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
)

var printedLink = regexp.MustCompile(`http://\S+/setup\?token=\S+`)

// PW-19, from the terminal to /admin: the link that serve prints makes the first
// administrator, and from then on there is no link.
// PW-19: Default admin; first visitor becomes admin; two first visitors.
func TestSetupLink_ServePrintsIt(t *testing.T) {
	c := signettest.NewCluster(t, "")
	first := c.Start(t, true)
	printed := printedLink.FindString(first.Talk.String())
	if printed == "" {
		t.Fatalf("serve printed no link:\n%s", first.Talk)
	}
	first.Kill()
	second := c.Start(t, true)
	if renewed := printedLink.FindString(second.Talk.String()); renewed == "" || renewed == printed {
		t.Errorf("after a restart the link is %q, and was %q", renewed, printed)
	}
	var asked struct{ URL string }
	c.Command(t, "", &asked, "setup-link", "--json")

	b := signettest.NewFormBrowser(t)
	b.Open(asked.URL)
	b.Send("setup", "set-up", map[string]string{"email": "root@example.com", "name": "Root", "new-password": c.Password})
	if b.At.Path != "/admin" {
		t.Fatalf("after set-up the browser is at %s, want /admin", b.At)
	}

	said := c.CommandFails(t, exit.Conflict, "setup-link")
	if !strings.Contains(said, "set-up is closed") || !strings.Contains(said, "signet user create --email EMAIL --admin") {
		t.Errorf("setup-link says %q", said)
	}
	second.Kill()
	third := c.Start(t, true)
	if printed := printedLink.FindString(third.Talk.String()); printed != "" {
		t.Errorf("with an administrator serve prints %s", printed)
	}
	b = signettest.NewFormBrowser(t)
	b.Open(printed)
	if signettest.FindByID(b.Page, "setup") != nil {
		t.Error("a link from before still shows the form")
	}
}
