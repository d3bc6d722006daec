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

// linkOf returns the setup link that a process has printed; "" if there is none. It waits, because
// the process answers requests a moment before its output has come through the pipe.
func linkOf(t *testing.T, p *signettest.Process) string {
	t.Helper()
	signettest.Eventually(t, 10*time.Second, "the process says that it listens", func() bool {
		return strings.Contains(p.Talk.String(), `"msg":"listening"`)
	})
	return printedLink.FindString(p.Talk.String())
}

// The link that serve prints creates the first administrator. From then on no link is printed.
// PW-19: There is no default administrator: the first one needs a one-time link.
func TestSetupLink_ServePrintsALinkForTheFirstAdministrator(t *testing.T) {
	c := signettest.NewCluster(t, "")
	first := c.Start(t, true)
	printed := linkOf(t, first)
	if printed == "" {
		t.Fatalf("serve printed no link:\n%s", first.Talk)
	}
	first.Kill()
	second := c.Start(t, true)
	if renewed := linkOf(t, second); renewed == "" || renewed == printed {
		t.Errorf("after a restart the link is %q, before it was %q", renewed, printed)
	}
	var asked struct{ URL string }
	c.Command(t, "", &asked, "setup-link", "--json")

	b := signettest.NewFormBrowser(t)
	b.Open(asked.URL)
	b.Send("setup", "set-up", map[string]string{"email": "root@example.com", "name": "Root", "new-password": c.Password})
	if b.At.Path != "/admin" {
		t.Fatalf("after setup the browser is at %s, want /admin", b.At)
	}

	output := c.CommandFails(t, exit.Conflict, "setup-link")
	if !strings.Contains(output, "no setup link can be created") || !strings.Contains(output, "signet user create --email EMAIL --admin") {
		t.Errorf("setup-link prints %q", output)
	}
	second.Kill()
	third := c.Start(t, true)
	if printed := linkOf(t, third); printed != "" {
		t.Errorf("serve prints %s although there is an administrator", printed)
	}
	b = signettest.NewFormBrowser(t)
	b.Open(printed)
	if signettest.FindByID(b.Page, "setup") != nil {
		t.Error("an old link still shows the form")
	}
}
