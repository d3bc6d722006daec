package cluster_test

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

	"signet/cmd/signet/signettest"
	"signet/federation/federationtest"
	"signet/provider/interaction"
	"signet/storage/storagetest"
)

// TestProcesses_FirstSignInsMakeOneUser lets eight browsers of one person return from Google at
// the same time, to two processes. The person has no account yet. All browsers are signed in,
// as one new user.
// MN-01: With two processes on one PostgreSQL, 50 parallel uses of each single-use value give
// one success.
func TestProcesses_FirstSignInsMakeOneUser(t *testing.T) {
	for name, database := range map[string]func() string{
		"sqlite":   func() string { return "" },
		"postgres": func() string { return storagetest.Postgres(t).Config().Database },
	} {
		t.Run(name, func(t *testing.T) {
			c := signettest.NewCluster(t, database())
			google, err := federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{interaction.CallbackURI(c.Issuer, "google")}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(google.Close)
			settings := filepath.Join(t.TempDir(), "signet.yaml")
			text := fmt.Sprintf("connectors: [{id: google, type: google, issuer: %q, client_id: %q, client_secret: %q}]\n", google.URL, google.ClientID, google.ClientSecret)
			if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Env = append(c.Env, "SIGNET_CONFIG="+settings)
			at := []string{c.Start(t, true).Address, c.Start(t, false).Address}

			browsers := make([]*signettest.FormBrowser, 8)
			callbacks := make([]string, len(browsers))
			for i := range browsers {
				browsers[i] = signettest.NewFormBrowser(t)
				callbacks[i] = strings.Replace(signInAtGoogle(t, c, browsers[i]), c.Issuer, at[i%2], 1)
			}
			var all sync.WaitGroup
			for i, b := range browsers {
				all.Go(func() {
					response, err := b.Client.Get(callbacks[i])
					if err != nil {
						t.Error(err)
						return
					}
					response.Body.Close()
				})
			}
			all.Wait()
			for i, b := range browsers {
				if b.Left == nil || !strings.HasPrefix(b.Left.String(), signettest.Nowhere) {
					t.Fatalf("browser %d was sent to %v", i, b.Left)
				}
				if status, _, err := c.Redeem(at[i%2], b.Left.Query().Get("code")); status != http.StatusOK || err != nil {
					t.Errorf("browser %d: status %d, %v", i, status, err)
				}
			}
			var listed struct{ Users []struct{ Email string } }
			c.Command(t, "", &listed, "user", "list", "--json")
			if len(listed.Users) != 2 {
				t.Errorf("got the users %+v, want %s and one from Google", listed.Users, c.Email)
			}
		})
	}
}

// signInAtGoogle presses the Google button on the sign-in page, signs in at Google, and
// returns the callback URL without opening it.
func signInAtGoogle(t *testing.T, c *signettest.Cluster, b *signettest.FormBrowser) string {
	t.Helper()
	b.Open(c.Issuer + "/authorize?" + url.Values{
		"client_id": {c.Client.ID}, "redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	b.Click("connector-google")
	back, err := federationtest.ChooseAccount(http.DefaultClient, b.Left.String(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	return b.Left.Query().Get("redirect_uri") + "?" + back.Encode()
}
