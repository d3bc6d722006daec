package program_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
)

var printedLink = regexp.MustCompile(`http://\S+/setup\?token=\S+`)

// printedBy gives the link in what a process said before it listened, "" for none. The
// process answers a moment before its words have come through the pipe.
func printedBy(t *testing.T, p *signettest.Process) string {
	t.Helper()
	signettest.Eventually(t, 10*time.Second, "the process says that it listens", func() bool {
		return strings.Contains(p.Talk.String(), `"msg":"listening"`)
	})
	return printedLink.FindString(p.Talk.String())
}

// PW-19, from the terminal to /admin: the link that serve prints makes the first
// administrator, and from then on there is no link.
// PW-19: Default admin; first visitor becomes admin; two first visitors.
func TestSetupLink_ServePrintsIt(t *testing.T) {
	c := signettest.NewCluster(t, "")
	first := c.Start(t, true)
	printed := printedBy(t, first)
	if printed == "" {
		t.Fatalf("serve printed no link:\n%s", first.Talk)
	}
	first.Kill()
	second := c.Start(t, true)
	if renewed := printedBy(t, second); renewed == "" || renewed == printed {
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
	if printed := printedBy(t, third); printed != "" {
		t.Errorf("with an administrator serve prints %s", printed)
	}
	b = signettest.NewFormBrowser(t)
	b.Open(printed)
	if signettest.FindByID(b.Page, "setup") != nil {
		t.Error("a link from before still shows the form")
	}
}
