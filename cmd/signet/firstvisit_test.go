package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"signet/federation/federationtest"
	"signet/provider/interaction"
	"signet/storage/storagetest"
)

// TestMN01_FirstSignInsOverTwoProcessesMakeOneUser: eight browsers of one person
// come back from Google at once, to two processes that have never seen the person:
// all are signed in, as one user.
func TestMN01_FirstSignInsOverTwoProcessesMakeOneUser(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite":   func() string { return "" },
		"postgres": func() string { return storagetest.Postgres(t).Config().Database },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, database())
			google, err := federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{interaction.CallbackURI(c.issuer, "google")}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(google.Close)
			settings := filepath.Join(t.TempDir(), "signet.yaml")
			text := fmt.Sprintf("connectors: [{id: google, type: google, issuer: %q, client_id: %q, client_secret: %q}]\n", google.URL, google.ClientID, google.ClientSecret)
			if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c.env = append(c.env, "SIGNET_CONFIG="+settings)
			at := []string{c.start(t, true).address, c.start(t, false).address}

			browsers := make([]*formBrowser, 8)
			callbacks := make([]string, len(browsers))
			for i := range browsers {
				browsers[i] = newFormBrowser(t)
				callbacks[i] = strings.Replace(c.leaveForGoogle(t, browsers[i]), c.issuer, at[i%2], 1)
			}
			var all sync.WaitGroup
			for i, b := range browsers {
				all.Go(func() {
					response, err := b.client.Get(callbacks[i])
					if err != nil {
						t.Error(err)
						return
					}
					response.Body.Close()
				})
			}
			all.Wait()
			for i, b := range browsers {
				if b.left == nil || !strings.HasPrefix(b.left.String(), nowhere) {
					t.Fatalf("browser %d was sent to %v", i, b.left)
				}
				if status, _, err := c.redeem(at[i%2], b.left.Query().Get("code")); status != http.StatusOK || err != nil {
					t.Errorf("browser %d: status %d, %v", i, status, err)
				}
			}
			var listed struct{ Users []struct{ Email string } }
			c.command(t, "", &listed, "user", "list", "--json")
			if len(listed.Users) != 2 {
				t.Errorf("the users are %+v, want %s and one from Google", listed.Users, c.email)
			}
		})
	}
}

// leaveForGoogle goes to Google by the button of the sign-in page, signs in there,
// and gives the callback without following it.
func (c *cluster) leaveForGoogle(t *testing.T, b *formBrowser) string {
	t.Helper()
	b.open(c.issuer + "/authorize?" + url.Values{
		"client_id": {c.client.ID}, "redirect_uri": {nowhere}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(codeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	b.click("connector-google")
	back, err := federationtest.Choose(http.DefaultClient, b.left.String(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	return b.left.Query().Get("redirect_uri") + "?" + back.Encode()
}
