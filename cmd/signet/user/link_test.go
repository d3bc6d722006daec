package user_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/signettest"
)

// printedLink is the output of `signet user link --json`.
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
	output := c.CommandFails(t, exit.Denied, "user", "link", "ada@example.com", "--for", "passkey")
	if !strings.Contains(output, "passkeys cannot be used at "+c.Issuer) || !strings.Contains(output, "use --for password") {
		t.Errorf("the command prints %q", output)
	}
}

// A person whom an operator hands an invitation creates an account, without a mail server. The link
// was not mailed, so the address is unproven.
func TestUserInvite_CreatesAnAccountWithoutMail(t *testing.T) {
	c := signettest.NewCluster(t, "")
	server := c.Start(t, true)
	for email, verified := range map[string]bool{"zoe@example.com": false, "eve@example.com": true} {
		args := []string{"user", "invite", email, "--name", "Somebody", "--role", "dev", "--json"}
		if verified {
			args = append(args, "--email-verified")
		}
		var made printedLink
		c.Command(t, "", &made, args...)
		if left := time.Until(made.ExpiresAt).Hours(); left < 167 || left > 169 {
			t.Errorf("the link expires in %v hours, want 7 days", left)
		}
		b := signettest.NewFormBrowser(t)
		b.Open(made.Link)
		b.Send("new-account", "create", map[string]string{"new-password": c.Password})
		if b.At.Path != "/link/invitation" || b.At.RawQuery != "done=account" {
			t.Fatalf("the browser is at %s", b.At)
		}
		b.Open(made.Link)
		if signettest.FindByID(b.Page, "new-account") != nil {
			t.Error("a used link still shows the form")
		}
		var u struct {
			Name          string
			EmailVerified bool `json:"email_verified"`
			Roles         []string
			Admin         bool
		}
		c.Command(t, "", &u, "user", "show", email, "--json")
		if u.Name != "Somebody" || u.EmailVerified != verified || !slices.Equal(u.Roles, []string{"dev"}) || u.Admin {
			t.Errorf("user %+v", u)
		}
		var events json.RawMessage
		c.Command(t, "", &events, "events", "--json")
		if _, sealed, _ := strings.Cut(made.Link, "link="); strings.Contains(server.Talk.String()+string(events), sealed) {
			t.Error("the log or the events contain the link")
		}
	}
}
