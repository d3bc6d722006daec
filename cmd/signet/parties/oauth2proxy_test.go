package parties_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// testOAuth2Proxy tests oauth2-proxy, which protects a page. Its refreshes fail with each
// of tokenFaults, and the person stays signed in. The proxy takes minutes to build;
// TestRelyingParty_XOAuth2 makes the same calls to the token endpoint.
func testOAuth2Proxy(t *testing.T) {
	i, front := newInstanceBehindFront(t)
	port := signettest.FreePort(t)
	s := partySite{origin: fmt.Sprintf("http://127.0.0.1:%d", port), port: fmt.Sprint(port), issuer: i.Issuer}
	// By default it sends neither PKCE nor a nonce.
	s.client = i.CreateClient(t, "--type", "web", "--redirect-uri", s.origin+"/oauth2/callback", "--pkce-optional")
	i.Serve(t)
	s.startOAuth2Proxy(t)

	b := signettest.NewFormBrowser(t)
	b.Visit(s.origin + "/oauth2/start?rd=/")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Send("consent", "allow", nil)
	b.Visit(b.Left.String())
	s.wantAccess(t, b, "after the sign-in")
	for fault := range tokenFaults {
		for _, times := range []int{1, 9} { // its library repeats a failed call
			when := fmt.Sprintf("%s, at most %d times", fault, times)
			front.fail(t, fault, times, func() {
				signettest.Eventually(t, 10*time.Second, "the proxy refreshes", func() bool {
					s.wantAccess(t, b, when)
					return front.failedCalls() > 0
				})
			})
			s.wantAccess(t, b, "after "+when)
		}
	}
	b.Visit(s.origin + "/oauth2/userinfo")
	if got := shownJSON(t, b); got["email"] != i.Email {
		t.Errorf("the proxy has userinfo %v", got)
	}
	checkES256(t, "oauth2-proxy", i, s.client, func(b *signettest.FormBrowser) { b.Visit(s.origin + "/oauth2/start?rd=/") },
		func(b *signettest.FormBrowser) bool { return b.Text() == "Authenticated" })
	wantNoRefusal(t, i, s.client)
}

// wantAccess checks that the proxy shows the protected page to the person.
func (s partySite) wantAccess(t *testing.T, b *signettest.FormBrowser, when string) {
	t.Helper()
	b.Visit(s.origin + "/")
	if got := b.Text(); got != "Authenticated" {
		t.Fatalf("%s: the browser is at %s and reads %q", when, b.At, got)
	}
}

func (s partySite) startOAuth2Proxy(t *testing.T) {
	t.Helper()
	program := buildParty(t, "github.com/oauth2-proxy/oauth2-proxy/v7")
	s.run(t, exec.Command(program, "--provider=oidc", "--oidc-issuer-url="+s.issuer,
		"--client-id="+s.client.ID, "--client-secret="+s.client.Secret, "--redirect-url="+s.origin+"/oauth2/callback",
		"--http-address="+strings.TrimPrefix(s.origin, "http://"), "--upstream=static://200", "--email-domain=*",
		"--cookie-secret="+strings.Repeat("k", 32), "--cookie-secure=false",
		"--cookie-refresh=1ms")) // each visit refreshes; 0, the default, never does
}
