package user_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
)

// printedLink is what `signet user link --json` prints.
type printedLink struct {
	Link      string
	ExpiresAt time.Time `json:"expires_at"`
}

// An operator lets a user who cannot sign in choose a password, without a mail server. The link is
// on standard output and nowhere else.
func TestUserLink_SetsAPasswordWithoutMail(t *testing.T) {
	c := signettest.NewCluster(t, "")
	server := c.Start(t, true)
	c.Command(t, "", nil, "user", "create", "--email", "ada@example.com", "--email-verified")
	var made printedLink
	c.Command(t, "", &made, "user", "link", "ada@example.com", "--for", "password", "--json")
	if left := time.Until(made.ExpiresAt); left < 29*time.Minute || left > 31*time.Minute {
		t.Errorf("the link expires in %v, want 30 minutes", left)
	}

	b := signettest.NewFormBrowser(t)
	b.Open(made.Link)
	b.Send("new-password-form", "set-password", map[string]string{"new-password": c.Password})
	if b.At.Path != "/reset" || b.At.RawQuery != "done=password" {
		t.Fatalf("the browser is at %s, want /reset?done=password", b.At)
	}
	b.Open(made.Link)
	if signettest.FindByID(b.Page, "new-password-form") != nil {
		t.Error("a used link still shows the form")
	}
	var events json.RawMessage
	c.Command(t, "", &events, "events", "--json")
	_, sealed, _ := strings.Cut(made.Link, "link=")
	if strings.Contains(server.Talk.String(), sealed) || strings.Contains(string(events), sealed) {
		t.Error("the log or the events contain the link")
	}
	output := c.CommandFails(t, exit.Usage, "user", "link", "ada@example.com", "--for", "passkey")
	if !strings.Contains(output, "use password") {
		t.Errorf("the command prints %q", output)
	}
}
