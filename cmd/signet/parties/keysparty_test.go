package parties_test

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// TestKeys_OpenIDClientThroughRotations starts a new openid-client before each of three
// rotations. The JWKS that the client reads before a rotation already has the key that
// signs after it.
func TestKeys_OpenIDClientThroughRotations(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	c.Client = c.CreateClient(t, "--type", "web", "--redirect-uri", signettest.Nowhere, "--skip-consent") // ID tokens with RS256
	c.Instance.Env = append(c.Instance.Env, signettest.Soon...)
	c.Env = append(c.Env, signettest.Soon...)
	c.Start(t, true)
	kids := map[string]bool{}
	var party *signettest.LineProcess
	wantSignIn := func(when string) {
		t.Helper()
		code := c.Codes(t, 1)[0]
		if got := party.Check(signettest.Nowhere + "?" + url.Values{"code": {code}, "iss": {c.Issuer}}.Encode()); got != "ok" {
			t.Errorf("%s: %s", when, got)
		}
		kids[c.Kid(t, "RS256", "active")] = true
	}
	for round := range 3 {
		party = signettest.StartNode(t, "redeemer.mjs", c.Issuer, c.Client.ID, c.Client.Secret, signettest.CodeVerifier)
		wantSignIn(fmt.Sprintf("before rotation %d", round))
		c.Rotate(t)
		wantSignIn(fmt.Sprintf("after rotation %d", round))
	}
	if len(kids) != 4 {
		t.Errorf("%d keys have signed, want 4", len(kids))
	}
	if os.Getenv("SIGNET_SOAK") == "" {
		return
	}
	// When a key is unknown, the library reads the JWKS again if its copy is older than one
	// minute. After that time the same process can follow a rotation.
	over := time.Now().Add(65 * time.Second)
	signettest.Eventually(t, 70*time.Second, "the copy of the JWKS is older than a minute", func() bool { return time.Now().After(over) })
	c.Rotate(t)
	wantSignIn("after a rotation 65 seconds later")
}

// TestKeys_ApacheThroughRotations starts another mod_auth_openidc before each of three
// rotations. Those that started earlier continue to work too.
func TestKeys_ApacheThroughRotations(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, signettest.Soon...)
	i.Serve(t)
	var origins []string
	for round := range 3 {
		origin := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
		client := i.CreateClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent")
		startApache(t, origin, i.Issuer, client)
		origins = append(origins, origin)
		wantProtectedPage(t, i, origin, fmt.Sprintf("newly started, before rotation %d", round))
		i.Rotate(t)
		for _, origin := range origins {
			wantProtectedPage(t, i, origin, fmt.Sprintf("after rotation %d", round))
		}
	}
}

// wantProtectedPage signs in with a new browser, which gives a new ID token.
func wantProtectedPage(t *testing.T, i *signettest.Instance, origin, when string) {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Visit(origin + "/secure/page.html")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Visit(b.Left.String())
	if got := b.Text(); !strings.Contains(got, "The protected page.") {
		t.Errorf("%s: the browser is at %s and reads %q", when, b.At, got)
	}
}
