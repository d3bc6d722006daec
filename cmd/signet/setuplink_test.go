package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
)

// commandFails runs a command that must end with this exit code, and gives what it
// said.
func (i *instance) commandFails(t *testing.T, want int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, i.env, strings.NewReader(""), &stdout, &stderr); code != want {
		t.Fatalf("signet %s: exit code %d, want %d: %s", strings.Join(args, " "), code, want, stderr.String())
	}
	return stderr.String()
}

var printedLink = regexp.MustCompile(`http://\S+/setup\?token=\S+`)

// PW-19, from the terminal to /admin: the link that serve prints makes the first
// administrator, and from then on there is no link.
func TestPW19_ServePrintsTheSetupLink(t *testing.T) {
	c := newCluster(t, "")
	first := c.start(t, true)
	printed := printedLink.FindString(first.talk.String())
	if printed == "" {
		t.Fatalf("serve printed no link:\n%s", first.talk)
	}
	first.kill()
	second := c.start(t, true)
	if renewed := printedLink.FindString(second.talk.String()); renewed == "" || renewed == printed {
		t.Errorf("after a restart the link is %q, and was %q", renewed, printed)
	}
	var asked struct{ URL string }
	c.command(t, "", &asked, "setup-link", "--json")

	b := newFormBrowser(t)
	b.open(asked.URL)
	b.send("setup", "set-up", map[string]string{"email": "root@example.com", "name": "Root", "new-password": c.password})
	if b.at.Path != "/admin" {
		t.Fatalf("after set-up the browser is at %s, want /admin", b.at)
	}

	said := c.commandFails(t, exit.Conflict, "setup-link")
	if !strings.Contains(said, "set-up is closed") || !strings.Contains(said, "signet user create --email EMAIL --admin") {
		t.Errorf("setup-link says %q", said)
	}
	second.kill()
	third := c.start(t, true)
	if printed := printedLink.FindString(third.talk.String()); printed != "" {
		t.Errorf("with an administrator serve prints %s", printed)
	}
	b = newFormBrowser(t)
	b.open(printed)
	if findByID(b.page, "setup") != nil {
		t.Error("a link from before still shows the form")
	}
}
